//! The operator's forms, from what is typed to what is meant.
use crate::{
    admin::model::{AnnouncementFields, AnnouncementForm, FlagFor, SetFlag},
    error::{Fields, Result},
    id::OrgId,
    units::Timestamp,
};

/// Ids, one a line.
fn ids(fields: &mut Fields, field: &str, text: &str) -> Vec<OrgId> {
    let lines = text.split_whitespace().take(2_000);
    let parsed: std::result::Result<Vec<OrgId>, _> = lines.map(str::parse).collect();
    match parsed {
        Ok(ids) => ids,
        Err(_) => {
            fields.refuse(field, "Give ids of organizations (org_…), one a line.");
            Vec::new()
        }
    }
}

/// A moment as a person or a browser writes it, UTC; nothing is none.
fn moment(fields: &mut Fields, field: &str, text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let whole = match text.len() {
        10 => format!("{text}T00:00:00Z"),
        16 => format!("{}:00Z", text.replace(' ', "T")),
        _ => text.to_string(),
    };
    let parsed = serde_json::from_value(whole.into()).map_err(|_| "Give a moment in UTC like 2027-01-31 03:00.");
    fields.take(field, parsed)
}

/// An announcement.
pub fn announcement(form: &AnnouncementFields) -> Result<AnnouncementForm> {
    let mut fields = Fields::default();
    let level = fields.take("level", form.level.parse());
    let organizations = ids(&mut fields, "organizations", &form.organizations);
    let (starts_at, ends_at) = (moment(&mut fields, "starts_at", &form.starts_at), moment(&mut fields, "ends_at", &form.ends_at));
    fields.done()?;
    Ok(AnnouncementForm {
        title: form.title.clone(),
        body: form.body.clone(),
        level: level.unwrap_or_default(),
        organizations,
        starts_at,
        ends_at,
        is_dismissable: form.is_dismissable.is_some(),
    })
}

/// How far a feature is to be rolled out.
pub fn flag(percent: &str, on: &str, off: &str) -> Result<SetFlag> {
    let mut fields = Fields::default();
    let percent = fields.take("percent", percent.trim().parse().map_err(|_| "Give a whole number from 0 to 100."));
    let mut organizations = Vec::new();
    for (field, text, is_on) in [("on", on, true), ("off", off, false)] {
        organizations.extend(ids(&mut fields, field, text).into_iter().map(|organization_id| FlagFor { organization_id, is_on }));
    }
    fields.done()?;
    Ok(SetFlag { percent: percent.unwrap_or_default(), organizations })
}
