"""The words of every problem a spec can have: code -> Korean, English, and the cure in both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Text:
    """Templates for `str.format`; both languages use the same placeholders (a test compares them)."""

    ko: str
    en: str
    cure_ko: str
    cure_en: str
    severity: Literal["error", "warning"] = "error"


CATALOGUE: dict[str, Text] = {
    # The file
    "too_large": Text(
        "스펙이 {size}바이트입니다. 한도는 {limit}바이트입니다.",
        "The spec has {size} bytes; the limit is {limit}.",
        "큰 값은 저장소의 파일로 옮기고 경로만 적으세요.",
        "Move large values to files in the storage and write their paths.",
    ),
    "not_utf8": Text(
        "UTF-8이 아닙니다 ({offset}번째 바이트).",
        "Not UTF-8 (at byte {offset}).",
        "파일을 UTF-8로 저장하세요.",
        "Save the file as UTF-8.",
    ),
    "json_syntax": Text(
        "{line}행 {column}열: {what_ko}",
        "Line {line}, column {column}: {what_en}",
        "그 자리의 JSON 문법을 고치세요.",
        "Correct the JSON at that place.",
    ),
    "too_deep": Text(
        "중첩이 {limit}단계보다 깊습니다.",
        "Nested more than {limit} levels deep.",
        "값의 구조를 더 얕게 만드세요.",
        "Make the value flatter.",
    ),
    "duplicate_key": Text(
        "같은 키가 두 번 있습니다: {key}",
        "Key given twice: {key}",
        "하나만 남기세요.",
        "Keep only one.",
    ),
    "not_finite": Text(
        "유한한 수가 아닙니다: {value}",
        "Not a finite number: {value}",
        "유한한 수를 쓰거나 따옴표로 감싸 문자열로 쓰세요.",
        "Write a finite number, or a string in quotes.",
    ),
    "number_too_large": Text(
        "정수가 너무 큽니다 (절댓값 한도 {limit}).",
        "The integer is too large (largest magnitude {limit}).",
        "더 작은 수를 쓰거나 따옴표로 감싸 문자열로 쓰세요.",
        "Write a smaller number, or a string in quotes.",
    ),
    "bad_character": Text(
        "쓸 수 없는 문자가 있습니다: {what}",
        "Contains a character that cannot be used: {what}",
        "그 문자를 지우세요.",
        "Remove that character.",
    ),
    "value_too_large": Text(
        "값이 {size}바이트입니다. 한도는 {limit}바이트입니다.",
        "The value has {size} bytes; the limit is {limit}.",
        "큰 값은 저장소의 파일로 옮기고 경로만 적으세요.",
        "Move large values to files in the storage and write their paths.",
    ),
    # Shape
    "unknown_field": Text(
        "알 수 없는 필드입니다: {field}",
        "Unknown field: {field}",
        "지우거나 다음 중 하나로 쓰세요: {known}",
        "Remove it, or use one of: {known}",
    ),
    "misspelt_field": Text(
        "알 수 없는 필드입니다: {field}",
        "Unknown field: {field}",
        "혹시 {suggestion}입니까?",
        "Did you mean {suggestion}?",
    ),
    "missing_field": Text(
        "필수 필드가 없습니다: {field}",
        "Required field is missing: {field}",
        "{field} 값을 추가하세요.",
        "Add {field}.",
    ),
    "wrong_type": Text(
        "{expected_ko}이어야 하는데 {found}입니다.",
        "Expected {expected_en}, found {found}.",
        "{expected_ko}(으)로 바꾸세요.",
        "Change it to {expected_en}.",
    ),
    "not_allowed": Text(
        "허용되지 않은 값입니다: {found}",
        "Value not allowed: {found}",
        "다음 중 하나를 쓰세요: {allowed}",
        "Use one of: {allowed}",
    ),
    "out_of_range": Text(
        "범위를 벗어난 값입니다: {found} ({rule})",
        "Value out of range: {found} ({rule})",
        "{rule}인 값을 쓰세요.",
        "Use a value {rule}.",
    ),
    "wrong_length": Text(
        "길이가 맞지 않습니다 ({rule}).",
        "Wrong length ({rule}).",
        "길이를 {rule}(으)로 맞추세요.",
        "Make its length {rule}.",
    ),
    "bad_id": Text(
        "식별자로 쓸 수 없습니다: {found}",
        "Not an id: {found}",
        "영문자나 숫자로 시작하고 영문자, 숫자, '.', '_', '-'만 64자까지 쓰세요.",
        "Start with a letter or digit and use up to 64 letters, digits, '.', '_' and '-'.",
    ),
    "bad_format": Text(
        "형식이 맞지 않습니다: {found}",
        "Wrong format: {found}",
        "다음과 같이 쓰세요: {example}",
        "Write it like this: {example}",
    ),
    "invalid": Text(
        "값이 올바르지 않습니다: {what}",
        "Invalid value: {what}",
        "값을 고치세요.",
        "Correct the value.",
    ),
    # Limits and structure
    "too_many_components": Text(
        "컴포넌트가 {count}개입니다. 한도는 {limit}개입니다.",
        "{count} components; the limit is {limit}.",
        "App을 나누세요.",
        "Split the App.",
    ),
    "too_many_items": Text(
        "항목이 {count}개입니다. 한도는 {limit}개입니다.",
        "{count} entries; the limit is {limit}.",
        "항목을 줄이세요.",
        "Have fewer entries.",
    ),
    "more_problems": Text(
        "문제가 {limit}건보다 많아 나머지는 보이지 않습니다.",
        "There are more than {limit} problems; the others are not listed.",
        "먼저 이 문제들을 고치고 다시 확인하세요.",
        "Correct these first and check again.",
    ),
    "no_tasks": Text(
        "Task가 없습니다.",
        "The App has no Task.",
        "Task를 추가하세요.",
        "Add a Task.",
    ),
    "empty_task": Text(
        "Task에 컴포넌트가 없습니다: {task}",
        "The Task has no component: {task}",
        "컴포넌트를 배치하거나 Task를 지우세요.",
        "Place a component or delete the Task.",
    ),
    "duplicate_task": Text(
        "Task 식별자가 중복되었습니다: {task}",
        "Duplicate task id: {task}",
        "Task마다 다른 task_id를 쓰세요.",
        "Give each Task its own task_id.",
    ),
    "duplicate_node": Text(
        "컴포넌트 식별자가 Task 안에서 중복되었습니다: {node}",
        "Duplicate component id in the Task: {node}",
        "같은 컴포넌트를 다시 배치할 때는 다른 node_id를 쓰세요 (예: {node}-2).",
        "Give the second placement its own node_id (for example {node}-2).",
    ),
    "duplicate_import": Text(
        "같은 App을 두 번 가져왔습니다: {app}",
        "App imported twice: {app}",
        "하나만 남기세요.",
        "Keep only one.",
    ),
    "import_unlisted": Text(
        "imported_apps에 없는 App입니다: {app}",
        "App is not in imported_apps: {app}",
        "imported_apps에 추가하거나 imported_from을 null로 바꾸세요.",
        "Add it to imported_apps or set imported_from to null.",
        "warning",
    ),
    "import_cycle": Text(
        "App 가져오기가 순환합니다: {chain}.",
        "Cycle of imports: {chain}.",
        "가져온 Task를 지우거나 분리하여 편집하세요.",
        "Delete the Tasks imported from there, or detach them to edit.",
    ),
    # Graph
    "cycle": Text(
        "순환 참조입니다: {nodes}. 연결을 추가하지 않았습니다.",
        "Cycle: {nodes}. The connection was not added.",
        "이 연결 중 하나를 지우세요.",
        "Remove one of these connections.",
    ),
    "self_loop": Text(
        "자기 자신에는 연결할 수 없습니다: {node}",
        "A component cannot connect to itself: {node}",
        "이 연결을 지우세요.",
        "Remove this connection.",
    ),
    "duplicate_edge": Text(
        "이미 연결되어 있습니다: {source} → {target}",
        "Already connected: {source} → {target}",
        "하나만 남기세요.",
        "Keep only one.",
    ),
    "missing_node": Text(
        "Task {task}에 없는 컴포넌트입니다: {node}",
        "Task {task} has no such component: {node}",
        "다음 중 하나를 쓰세요: {known}",
        "Use one of: {known}",
    ),
    "missing_task": Text(
        "없는 Task입니다: {task}",
        "No such Task: {task}",
        "다음 중 하나를 쓰세요: {known}",
        "Use one of: {known}",
    ),
    "task_self_loop": Text(
        "Task는 자기 자신을 기다릴 수 없습니다: {task}",
        "A Task cannot wait for itself: {task}",
        "after에서 이 Task를 지우세요.",
        "Remove it from after.",
    ),
    "duplicate_after": Text(
        "선행 Task가 두 번 있습니다: {task}",
        "Task given twice in after: {task}",
        "하나만 남기세요.",
        "Keep only one.",
    ),
    "task_cycle": Text(
        "Task 순서가 순환합니다: {tasks}",
        "The Tasks wait for each other: {tasks}",
        "after가 없는 Task는 목록에서 바로 앞의 Task를 기다립니다. 목록 순서나 after를 바꾸거나 execution을 parallel로 하세요.",
        "A Task without after waits for the one listed before it: change the order or after, or set execution to parallel.",
    ),
    "unused_service": Text(
        "서비스를 쓰는 컴포넌트가 없습니다: {node}",
        "Nothing uses the service: {node}",
        'when이 "started"인 연결을 추가하거나 service를 지우세요.',
        'Add a connection with when "started", or remove service.',
    ),
    "service_deadlock": Text(
        "서비스가 끝나기를 기다리는 컴포넌트를 서비스가 다시 기다립니다: {nodes}",
        "A service waits for a component that waits for the service to end: {nodes}",
        'when을 "started"로 바꾸거나 연결을 지우세요.',
        'Change when to "started" or remove the connection.',
    ),
    "ready_unused": Text(
        "준비 상태를 기다리는 컴포넌트가 없습니다: {node}",
        "Nothing waits for it to be ready: {node}",
        'when이 "started"인 연결을 추가하거나 ready를 지우세요.',
        'Add a connection with when "started", or remove ready.',
        "warning",
    ),
    "host_name_collision": Text(
        "환경 변수 이름이 같아집니다: {first}, {second} → {name}",
        "Both become the same environment variable: {first}, {second} → {name}",
        "node_id 하나를 바꾸세요.",
        "Change one node_id.",
    ),
    "unconnected": Text(
        "연결되지 않은 컴포넌트입니다: {node}. 동시에 실행됩니다.",
        "Component without connection: {node}. Runs at the same time.",
        "순서가 필요하면 연결하세요.",
        "Connect it if the order matters.",
        "warning",
    ),
    # Values with a meaning
    "reserved_variable": Text(
        "{key}는 플랫폼이 정하는 변수라 쓸 수 없습니다.",
        "{key} is set by the platform and cannot be used.",
        "다른 이름을 쓰세요.",
        "Use another name.",
    ),
    "reserved_cuda": Text(
        '{key}는 플랫폼이 정하는 변수라 "all" 말고는 쓸 수 없습니다.',
        '{key} is set by the platform and cannot be used except as "all".',
        '지우거나 "all"로 쓰세요. 컴포넌트에 할당된 모든 GPU를 뜻합니다.',
        'Remove it, or write "all": all GPUs given to the component.',
    ),
    "bad_variable": Text(
        "환경 변수 이름으로 쓸 수 없습니다: {key}",
        "Not a name of an environment variable: {key}",
        "영문자나 '_'로 시작하고 영문자, 숫자, '_'만 쓰세요.",
        "Start with a letter or '_' and use only letters, digits and '_'.",
    ),
    "param_collision": Text(
        "파라미터들의 환경 변수 이름이 같아집니다: {first}, {second} → {name}",
        "Both parameters become the same environment variable: {first}, {second} → {name}",
        "하나의 이름을 바꾸세요.",
        "Rename one of them.",
    ),
    "empty_param": Text(
        "파라미터 이름이 비어 있습니다.",
        "A parameter has an empty name.",
        "이름을 쓰세요.",
        "Give it a name.",
    ),
    "environment_too_large": Text(
        "컴포넌트 {node}의 환경 변수, 파라미터, 인수를 합치면 {size}바이트입니다. 한도는 {limit}바이트입니다.",
        "Variables, parameters and arguments of {node} have {size} bytes together; the limit is {limit}.",
        "큰 값은 저장소의 파일로 옮기고 경로만 적으세요.",
        "Move large values to files in the storage and write their paths.",
    ),
    "bad_image": Text(
        "이미지 주소로 쓸 수 없습니다: {image}",
        "Not an image reference: {image}",
        "registry에는 태그 없는 주소를, tag에는 태그를 쓰세요 (예: registry.avatar.io/env-sim, 1.0).",
        "Write the address without tag in registry and the tag in tag (for example registry.avatar.io/env-sim and 1.0).",
    ),
    "latest_tag": Text(
        "태그 latest는 내용이 바뀔 수 있습니다: {image}",
        "The tag latest may change its content: {image}",
        "버전 태그를 쓰세요.",
        "Use a version tag.",
        "warning",
    ),
    "bad_memory": Text(
        "메모리 크기가 아닙니다: {found}",
        "Not an amount of memory: {found}",
        "64GB나 512MB처럼 쓰세요 (1MB 이상).",
        "Write it like 64GB or 512MB (at least 1MB).",
    ),
    "gpu_without_type": Text(
        "GPU를 요청했지만 gpu_type이 없습니다.",
        "GPUs are asked for without gpu_type.",
        "gpu_type을 쓰세요 (예: A100).",
        "Add gpu_type (for example A100).",
    ),
    "gpus_and_shards": Text(
        "gpu_count와 gpu_shards를 함께 쓸 수 없습니다.",
        "gpu_count and gpu_shards cannot be used together.",
        "전용 GPU면 gpu_count만, 분할 GPU면 gpu_shards만 쓰세요.",
        "Use gpu_count for whole GPUs or gpu_shards for a share of one.",
    ),
    "bad_duration": Text(
        "시간이 아닙니다: {found}",
        "Not a duration: {found}",
        "90s, 30m, 2h, 1d 또는 [일-]시:분:초처럼 쓰세요 (1초 이상 365일 이하).",
        "Write it like 90s, 30m, 2h, 1d or [days-]hours:minutes:seconds (1 second to 365 days).",
    ),
    "bad_ready": Text(
        "ready에는 port와 file 중 하나만 있어야 합니다.",
        "ready needs either port or file.",
        '{{"port": 5000}}, {{"port": "auto"}}, {{"file": "ready"}} 중 하나처럼 쓰세요.',
        'Write it like {{"port": 5000}}, {{"port": "auto"}} or {{"file": "ready"}}.',
    ),
    "bad_ready_file": Text(
        "/one/out 아래의 경로가 아닙니다: {found}",
        "Not a path under /one/out: {found}",
        "/one/out에서 시작하는 상대 경로를 쓰세요 (예: ready).",
        "Write a path relative to /one/out (for example ready).",
    ),
    "bad_storage_path": Text(
        "정규화된 절대 경로가 아닙니다: {found}",
        "Not a normalised absolute path: {found}",
        "'/'로 시작하고 '..', '.', '//'가 없는 경로를 쓰세요.",
        "Start with '/' and use no '..', '.' or '//'.",
    ),
    # Site
    "outside_roots": Text(
        "저장소 경로가 허용된 위치 밖에 있습니다: {found}",
        "The storage path is outside the allowed places: {found}",
        "다음 중 하나의 아래 경로를 쓰세요: {roots}",
        "Use a path under one of: {roots}",
    ),
    "registry_not_allowed": Text(
        "허용되지 않은 레지스트리입니다: {registry}",
        "Registry not allowed: {registry}",
        "다음 중 하나를 쓰세요: {allowed}",
        "Use one of: {allowed}",
    ),
    # Component library
    "param_twice": Text(
        "파라미터가 두 번 있습니다: {name}",
        "Parameter given twice: {name}",
        "하나만 남기세요.",
        "Keep only one.",
    ),
    "param_bounds": Text(
        "최솟값과 최댓값은 수여야 하고 숫자 파라미터에만 쓸 수 있습니다: {name}",
        "A smallest and a largest value are numbers, of an integer or number parameter: {name}",
        "범위를 지우거나 종류를 정수나 실수로 바꾸세요.",
        "Remove the range, or make its type integer or number.",
    ),
    "param_default": Text(
        "파라미터 {name}의 기본값이 {type} 값이 아닙니다: {found}",
        "The default of {name} is no {type}: {found}",
        "기본값이나 종류를 고치세요.",
        "Correct the default or the type.",
    ),
    "bad_tag": Text(
        "태그로 쓸 수 없습니다: {found}",
        "Not a tag: {found}",
        "빈칸과 쉼표 없이 {limit}자 이하로 쓰세요.",
        "Write at most {limit} characters without spaces and commas.",
    ),
    "component_name_taken": Text(
        "이 이름의 컴포넌트가 이미 있습니다: {name}",
        "A component of this name exists: {name}",
        "다른 이름을 쓰거나, 그 컴포넌트의 새 버전을 만드세요.",
        "Choose another name, or make a new version of that component.",
    ),
    "component_id_taken": Text(
        "이 ID의 컴포넌트가 이미 있습니다: {id}",
        "A component with this id exists: {id}",
        "다른 ID를 쓰거나 비워 두세요.",
        "Choose another id, or leave it empty.",
    ),
    "component_version_low": Text(
        "버전 {version}은(는) 지금까지 가장 높은 {highest}보다 높지 않습니다.",
        "Version {version} is not above {highest}, the highest so far.",
        "더 높은 버전을 쓰세요 (예: {next}).",
        "Use a higher one (for example {next}).",
    ),
    "note_missing": Text(
        "변경 메모가 비어 있습니다.",
        "The change note is empty.",
        "이 버전에서 무엇이 바뀌었는지 적으세요.",
        "Write what changed in this version.",
    ),
    "unknown_component": Text(
        "라이브러리에 없는 컴포넌트입니다: {id}",
        "The library has no such component: {id}",
        "라이브러리에 등록하거나 라이브러리의 컴포넌트로 바꾸세요. 그대로도 실행됩니다.",
        "Register it, or take a component of the library. It runs as it is.",
        "warning",
    ),
    "deprecated_component": Text(
        "사용 중단된 컴포넌트입니다: {name}",
        "Deprecated component: {name}",
        "다른 컴포넌트로 바꾸는 것이 좋습니다. 그대로도 실행됩니다.",
        "Better take another one. It runs as it is.",
        "warning",
    ),
    "newer_component": Text(
        "새 라이브러리 버전이 있습니다: {name} {pinned} → {newest}",
        "A newer library version exists: {name} {pinned} → {newest}",
        "속성에서 차이를 보고 업데이트하세요. 그대로도 실행됩니다.",
        "See the difference in the inspector and update. It runs as it is.",
        "warning",
    ),
    "newer_import": Text(
        "가져온 App의 새 버전이 있습니다: {name} {pinned} → {newest}",
        "A newer version of an imported App exists: {name} {pinned} → {newest}",
        "App 관리에서 차이를 보고 업데이트하거나 지금 버전을 유지하세요. 그대로도 실행됩니다.",
        "See the difference in the App tab, then update or keep this version. It runs as it is.",
        "warning",
    ),
    "import_changed": Text(
        "가져온 Task가 {app} {version}의 Task와 다릅니다: {task}",
        "An imported Task is not as in {app} {version}: {task}",
        "분리하여 편집하거나 다시 가져오세요. 그대로도 실행됩니다.",
        "Detach it to edit, or import it again. It runs as it is.",
        "warning",
    ),
    "image_not_found": Text(
        "이미지를 찾을 수 없습니다: {image}.",
        "Image not found: {image}.",
        "주소와 태그를 확인하세요.",
        "Check address and tag.",
    ),
    # Overrides
    "bad_override": Text(
        "바꿀 수 없는 값입니다: {key}",
        "This value cannot be overridden: {key}",
        "training_config.이름, env_vars.이름, storage.path, TASK/NODE.resources.이름, TASK/NODE.params.이름 중 하나로 쓰세요.",
        "Use training_config.NAME, env_vars.NAME, storage.path, TASK/NODE.resources.NAME or TASK/NODE.params.NAME.",
    ),
}
