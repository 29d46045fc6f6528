//! Tools that public skills name and that are not here, on purpose or by mistake.

/// What to use in place of a tool; `None` for a name that nobody is known to use.
pub(crate) fn instead(name: &str) -> Option<&'static str> {
    match &*crate::name::fold(name) {
        "kubectl_get_secret_value" => Some(
            "no tool gives values of secrets: name it under `secrets` in the configuration and write `{{ secrets.NAME }}` (docs/secrets.md)",
        ),
        "kubectl_rollout" => {
            Some("`kubectl_rollout_status` says how far it is, `kubectl_rollout_restart` begins one")
        }
        "konflux_create_release" => Some(
            "no tool makes a release; `konflux_list_releases` and `konflux_get_release` show those there are",
        ),
        _ => None,
    }
}
