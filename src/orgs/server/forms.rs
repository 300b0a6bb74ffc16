//! What browsers' forms say, put into the words of the API, and refusals put beside the fields that the forms have.
use crate::{
    error::{Error, FieldError, Fields, Result, Thing},
    id::UserId,
    kit::Flash,
    orgs::{
        flashes,
        model::{Deed, DefaultsInput, EmailStatus, InviteInput, MAX_BULK, RoleInput, SettingsForm, Ticked, UpdateOrganization},
    },
    rights::Action,
    units::Bytes,
};

fn filled(text: &str) -> Option<String> {
    Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_string)
}

/// The settings' form. A field that is not there (of those who may not see billing) stays.
pub fn settings(form: &SettingsForm) -> Result<UpdateOrganization> {
    let mut fields = Fields::default();
    let replicas =
        filled(&form.replicas).and_then(|it| fields.take("replicas", it.parse().map_err(|_| "A whole number of replicas, like 2.")));
    let memory = filled(&form.memory_mib)
        .and_then(|it| fields.take("memory_mib", it.parse::<u64>().map_err(|_| "A whole number of MiB, like 256.")));
    let cpu =
        filled(&form.cpu.replace(',', ".")).and_then(|it| fields.take("cpu", it.parse::<f64>().map_err(|_| "A number of CPUs, like 0.5.")));
    let update = UpdateOrganization {
        name: Some(form.name.clone()),
        slug: Some(form.slug.clone()),
        contact_email: Some(form.contact_email.clone()),
        billing_address: form.billing_address.clone(),
        tax_id: form.tax_id.clone(),
        defaults: Some(DefaultsInput {
            replicas,
            cpu_millis: cpu.map(|cpu| (cpu * 1000.0).round().clamp(0.0, 1_000_000.0) as u32),
            memory_bytes: memory.map(|mib| Bytes::mib(mib.min(1 << 24)).0),
            branch: filled(&form.branch),
        }),
        requires_two_factor: Some(form.requires_two_factor.is_some()),
    };
    // Parsed here as well, so that what is wrong with numbers and what is wrong with texts is told at once.
    if let Err(why) = update.parse()
        && let Error::Invalid(all) = beside_the_fields(why)
    {
        all.into_iter().for_each(|it| fields.refuse(&it.field, it.message));
    }
    fields.done()?;
    Ok(update)
}

/// The API's field names in the form's.
pub fn beside_the_fields(why: Error) -> Error {
    let rename = |it: FieldError| {
        let field = match it.field.as_str() {
            "defaults.memory_bytes" => "memory_mib",
            "defaults.cpu_millis" => "cpu",
            name => name.strip_prefix("defaults.").unwrap_or(name),
        };
        FieldError { field: field.into(), message: it.message }
    };
    match why {
        Error::Invalid(fields) => Error::Invalid(fields.into_iter().map(rename).collect()),
        other => other,
    }
}

/// Who is ticked, and what is to become of them.
pub fn members(deed: &str, role: Option<String>, ticked: &Ticked) -> Result<(Vec<UserId>, Deed)> {
    let users: Vec<UserId> = ticked.0.keys().filter_map(|name| name.parse().ok()).collect();
    let mut fields = Fields::default();
    if users.is_empty() || users.len() > MAX_BULK {
        fields.refuse("form", format!("Tick 1 to {MAX_BULK} members first."));
    }
    let deed = match (deed, role.as_deref().and_then(filled)) {
        ("remove", _) => Deed::Remove,
        (_, Some(role)) => Deed::Role(role),
        (_, None) => {
            fields.refuse("role", "Choose the role that they are to have.");
            Deed::Remove
        }
    };
    fields.done()?;
    Ok((users, deed))
}

/// The role editor: the boxes have the permissions' names.
pub fn role(name: String, description: String, ticked: &Ticked) -> RoleInput {
    let permissions = ticked.0.keys().filter_map(|name| name.parse::<Action>().ok()).collect();
    RoleInput { name, description, permissions }
}

/// The form that invites.
pub fn invitation(email: String, role: String, message: Option<String>, hours: Option<String>) -> Result<InviteInput> {
    let hours = match hours.as_deref().and_then(filled) {
        Some(text) => Some(text.parse().map_err(|_| Error::invalid("expires_hours", "A whole number of hours, 1 to 720."))?),
        None => None,
    };
    Ok(InviteInput { email, role, message, expires_hours: hours })
}

/// What the next page says of the mail.
pub fn mailed(status: EmailStatus) -> Flash {
    match status {
        EmailStatus::Queued => flashes::INVITATION_SENT,
        EmailStatus::Suppressed => flashes::INVITATION_NOT_MAILED,
    }
}

/// The page of an invitation. A token has letters, digits, hyphens and underscores only: nothing else gets into the address.
pub fn invitation_page(token: &str) -> Result<String> {
    let sound = token.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')) && (1..=100).contains(&token.len());
    if sound { Ok(format!("/invitations/{token}")) } else { Err(Error::NotFound(Thing::LINK)) }
}
