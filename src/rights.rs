//! Who may do what. A role is a set of actions; an action is the permission's name on the wire and in the refusal. Pure, and
//! seen on both sides, so that a page can say beforehand why a button is not for everyone.
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Something that a role may or may not include.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    View,
    Create,
    Deploy,
    Scale,
    Configure,
    Secrets,
    Delete,
    Members,
    Settings,
}

impl Action {
    /// Every action, in the order in which pages list them.
    pub const ALL: [Action; 9] = [
        Action::View,
        Action::Create,
        Action::Deploy,
        Action::Scale,
        Action::Configure,
        Action::Secrets,
        Action::Delete,
        Action::Members,
        Action::Settings,
    ];

    /// The permission's name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Action::View => "view",
            Action::Create => "create",
            Action::Deploy => "deploy",
            Action::Scale => "scale",
            Action::Configure => "configure",
            Action::Secrets => "secrets",
            Action::Delete => "delete",
            Action::Members => "members",
            Action::Settings => "settings",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a member of an organization is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Viewer,
    Member,
    Admin,
    Owner,
}

impl Role {
    /// Every role, the weakest first.
    pub const ALL: [Role; 4] = [Role::Viewer, Role::Member, Role::Admin, Role::Owner];

    /// Whether this role includes the action.
    pub fn may(self, action: Action) -> bool {
        match action {
            Action::View => true,
            Action::Create | Action::Deploy | Action::Scale | Action::Configure | Action::Secrets => self >= Role::Member,
            Action::Delete | Action::Members => self >= Role::Admin,
            Action::Settings => self == Role::Owner,
        }
    }

    /// The role's name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Member => "member",
            Role::Admin => "admin",
            Role::Owner => "owner",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Role::ALL.into_iter().find(|role| role.name() == text).ok_or("A role is viewer, member, admin or owner.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stronger_role_may_all_that_a_weaker_one_may() {
        for pair in Role::ALL.windows(2) {
            for action in Action::ALL {
                assert!(!pair[0].may(action) || pair[1].may(action), "{action}");
            }
        }
        assert!(!Role::Viewer.may(Action::Deploy));
        assert!(!Role::Member.may(Action::Delete));
        assert!(Role::Owner.may(Action::Settings));
    }
}
