//! Forms and the server functions that they call. Each page that a test of this suite reads is held to this as well
//! (`support::client`).
use crate::support::forms::unknown;

fn form(function: &str, field: &str) -> String {
    format!(r#"<form method="post"><input type="hidden" name="_action" value="{function}"/><input name="{field}"/></form>"#)
}

#[test]
fn a_field_that_nobody_takes_is_found() {
    assert_eq!(unknown(&form("scale_application", "replicas")), [""; 0]);
    assert_eq!(unknown(&form("scale_application", "copies")), ["scale_application has no copies"]);
    assert_eq!(unknown(&form("scale_aplication", "replicas")), ["scale_aplication"]);
}

#[test]
fn fields_within_a_form_of_its_own_type_are_known() {
    assert_eq!(unknown(&form("create_application", "memory_mib")), [""; 0]);
    assert_eq!(unknown(&form("create_application", "memory")), ["create_application has no memory"]);
    assert_eq!(unknown(&form("create_api_key", "permissions[deploy]")), [""; 0]);
}
