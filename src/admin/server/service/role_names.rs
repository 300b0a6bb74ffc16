//! What roles are called, for lists of people and of organizations.
use crate::{error::Result, fault::Because, id::RoleId, rights::Role, runtime::panel::Panel, store::tables::role};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use std::collections::HashMap;

/// What roles are called, given ones and those that organizations made.
pub async fn role_names<'a>(panel: &Panel, words: impl Iterator<Item = &'a str>) -> Result<HashMap<String, String>> {
    let mut names: HashMap<String, String> = Role::ALL.iter().map(|role| (role.name().into(), role.title().into())).collect();
    let own: Vec<RoleId> = words.filter_map(|word| word.parse().ok()).collect();
    if !own.is_empty() {
        let rows = role::Entity::find().filter(role::Column::Id.is_in(own)).all(panel.db.read()).await.because("listing roles")?;
        names.extend(rows.into_iter().map(|row| (row.id.to_string(), row.name)));
    }
    Ok(names)
}
