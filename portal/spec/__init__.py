"""The App spec: models, graph rules, hash and diff; no IO.

load.load_spec(bytes | str | dict) -> LoadedSpec(spec, document, problems)     raises problems.SpecError(problems)
rules.site_problems(spec, SiteRules(storage_roots, registries)) -> [Problem]   this site's rules
overrides.apply_overrides(document, {"training_config.episodes": 500}) -> document
canonical.spec_hash(resolved spec, time_limit_min=...) -> hex;  canonical.content_sha256(document) -> hex
diff.diff_specs(old, new) -> (DiffGroup, ...);  schema.app_spec_schema() -> dict
graph.task_order(spec), graph.first_nodes(task), graph.last_nodes(task): what portal.compile builds on
"""
