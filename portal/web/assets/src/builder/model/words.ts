/** Korean and English sentences of the Builder; `{name}` is filled in. */

export type Language = "ko" | "en";
export type Values = Record<string, string | number>;

const WORDS = {
  cycle: ["순환 참조입니다: {nodes}. 연결을 추가하지 않았습니다.", "Cycle: {nodes}. The connection was not added."],
  self_loop: ["자기 자신에는 연결할 수 없습니다: {node}", "A component cannot connect to itself: {node}"],
  duplicate_edge: ["이미 연결되어 있습니다: {from} → {to}", "Already connected: {from} → {to}"],
  imported_locked: [
    "가져온 Task는 바꿀 수 없습니다. 원본 App에서 고치고 새 버전을 가져오거나, 분리하여 편집하세요.",
    "An imported Task cannot be changed. Change its App and take its new version, or detach the Task to edit it.",
  ],
  import_cycle: [
    "App 가져오기가 순환합니다: {chain}. 가져오지 않았습니다.",
    "Cycle of imports: {chain}. It was not imported.",
  ],
  needs_approval: ["승인 필요", "Needs approval"],
  /** On a node of the drawing, where the whole words have no room. */
  approval_short: ["승인 필요", "Approval"],
  under_threshold: ["임계치 미만", "Under threshold"],
  needs_gpu: ["승인 필요: GPU {asked} ≥ 임계치 {threshold}", "Needs approval: GPU {asked} ≥ threshold {threshold}"],
  needs_memory: [
    "승인 필요: 메모리 {asked} ≥ 임계치 {threshold}",
    "Needs approval: memory {asked} ≥ threshold {threshold}",
  ],
  too_large: ["이 크기를 가진 노드가 없습니다 (최대 {most})", "No node is this large (max {most})"],
  unknown_gpu: ["이 클러스터에 없는 GPU 유형입니다: {type}", "This cluster has no such GPU type: {type}"],
  summary: [
    "Task {tasks} · 컴포넌트 {components} · 최대 자원 {most}",
    "{tasks} Tasks · {components} components · max {most}",
  ],
  new_task: ["새 Task", "New Task"],
  copy_of: ["{name} 사본", "{name} copy"],
  bad_variable: ["환경 변수 이름으로 쓸 수 없습니다: {key}", "Not a name of an environment variable: {key}"],
  reserved_variable: [
    "{key}는 플랫폼이 정하는 변수라 쓸 수 없습니다.",
    "{key} is set by the platform and cannot be used.",
  ],
  reserved_cuda: [
    '{key}는 플랫폼이 정하는 변수라 "all" 말고는 쓸 수 없습니다.',
    '{key} is set by the platform and cannot be used except as "all".',
  ],
  not_json: ["{line}행 {column}열: JSON 문법이 맞지 않습니다.", "Line {line}, column {column}: not JSON."],
  wrong_shape: [
    "{line}행 {column}열: {path}에 {expected} 값이 필요합니다.",
    "Line {line}, column {column}: {path} needs a value of type {expected}.",
  ],
  not_applied: ["JSON이 올바르지 않아 적용하지 않았습니다 ({n}건).", "Not applied: JSON has {n} problems."],
} as const satisfies Record<string, readonly [string, string]>;

export type Word = keyof typeof WORDS;

/** The sentence of `word`; values stand where their names are. */
export function say(language: Language, word: Word, values: Values = {}): string {
  return fill(WORDS[word][language === "ko" ? 0 : 1], values);
}

export function fill(template: string, values: Values): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => (name in values ? String(values[name]) : whole));
}

/** One of two texts: what a view writes where no other place says the same. */
export function either(language: Language, ko: string, en: string): string {
  return language === "ko" ? ko : en;
}
