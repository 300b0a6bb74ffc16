//! Who may do what. An [`Action`] is a permission's name on the wire and in the refusal; a role is a set of them. Five roles are given, an
//! organization makes more of its own, and a member may be granted a role on single applications. Pure, and seen on both sides, so
//! that a page can say beforehand why a button is not for everyone.
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

macro_rules! actions {
    ($($(#[doc = $words:literal])* $name:ident $wire:literal;)*) => {
        /// Something that a role may or may not include.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Action { $($(#[doc = $words])* $name,)* }

        impl Action {
            /// Every action, in the order in which pages list them.
            pub const ALL: &[Action] = &[$(Action::$name),*];

            /// The permission's name on the wire.
            pub fn name(self) -> &'static str {
                match self { $(Action::$name => $wire),* }
            }

            /// What it lets somebody do, as the role editor says it.
            pub fn words(self) -> &'static str {
                match self { $(Action::$name => concat!($($words),*)),* }
            }
        }
    };
}

actions! {
    /// See applications, deployments, logs and figures.
    View "view";
    /// Make applications.
    Create "create";
    /// Deploy, restart, roll back and cancel.
    Deploy "deploy";
    /// Change the number of replicas, stop and start.
    Scale "scale";
    /// Change an application's settings.
    Configure "configure";
    /// Change environment variables, and read secret files.
    Secrets "secrets";
    /// Delete applications.
    Delete "delete";
    /// Add and remove domains and certificates.
    Domains "domains";
    /// Make, restore and remove databases.
    Databases "databases";
    /// See and change plans, payments and invoices.
    Billing "billing";
    /// Invite and remove members, and give them roles.
    Members "members";
    /// Make and change custom roles.
    Roles "roles";
    /// Change the organization's settings.
    Settings "settings";
    /// Read and export the activity of all members.
    Audit "audit";
    /// Hand the organization over, or delete it.
    Ownership "ownership";
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Action {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Action::ALL.iter().copied().find(|action| action.name() == text);
        found.ok_or_else(|| format!("There is no such permission. The permissions are {}.", Permissions::ALL))
    }
}

/// A set of actions; on the wire a list of their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "Vec<Action>", into = "Vec<Action>")]
#[schema(value_type = Vec<Action>)]
pub struct Permissions(u32);

impl Permissions {
    /// Nothing.
    pub const NONE: Permissions = Permissions(0);
    /// Everything.
    pub const ALL: Permissions = Permissions((1 << Action::ALL.len()) - 1);

    /// These actions.
    pub const fn of(actions: &[Action]) -> Self {
        let (mut bits, mut at) = (0, 0);
        while at < actions.len() {
            bits |= 1 << actions[at] as u32;
            at += 1;
        }
        Permissions(bits)
    }

    /// Whether the action is among them.
    pub fn may(self, action: Action) -> bool {
        self.0 & (1 << action as u32) != 0
    }

    /// Those in either.
    pub fn or(self, other: Permissions) -> Self {
        Permissions(self.0 | other.0)
    }

    /// Those in both.
    pub fn and(self, other: Permissions) -> Self {
        Permissions(self.0 & other.0)
    }

    /// Those that the other lacks.
    pub fn without(self, other: Permissions) -> Self {
        Permissions(self.0 & !other.0)
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The actions, in the order in which pages list them.
    pub fn iter(self) -> impl Iterator<Item = Action> {
        Action::ALL.iter().copied().filter(move |action| self.may(*action))
    }
}

impl FromIterator<Action> for Permissions {
    fn from_iter<I: IntoIterator<Item = Action>>(actions: I) -> Self {
        actions.into_iter().fold(Permissions::NONE, |all, action| all.or(Permissions::of(&[action])))
    }
}

impl From<Vec<Action>> for Permissions {
    fn from(actions: Vec<Action>) -> Self {
        actions.into_iter().collect()
    }
}

impl From<Permissions> for Vec<Action> {
    fn from(set: Permissions) -> Self {
        set.iter().collect()
    }
}

impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.iter().map(Action::name).collect();
        f.write_str(&names.join(", "))
    }
}

/// The roles that every organization has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Viewer,
    Billing,
    Developer,
    Admin,
    Owner,
}

impl Role {
    /// Every given role, the weakest first.
    pub const ALL: [Role; 5] = [Role::Viewer, Role::Billing, Role::Developer, Role::Admin, Role::Owner];

    /// What the role includes.
    pub const fn permissions(self) -> Permissions {
        match self {
            Role::Viewer => Permissions::of(&[Action::View]),
            Role::Billing => Permissions::of(&[Action::View, Action::Billing]),
            Role::Developer => Permissions::of(&[
                Action::View,
                Action::Create,
                Action::Deploy,
                Action::Scale,
                Action::Configure,
                Action::Secrets,
                Action::Domains,
                Action::Databases,
            ]),
            Role::Admin => Permissions(Permissions::ALL.0 & !Permissions::of(&[Action::Ownership]).0),
            Role::Owner => Permissions::ALL,
        }
    }

    /// Whether this role includes the action.
    pub fn may(self, action: Action) -> bool {
        self.permissions().may(action)
    }

    /// The role's name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Billing => "billing",
            Role::Developer => "developer",
            Role::Admin => "admin",
            Role::Owner => "owner",
        }
    }

    /// The role's name for people.
    pub fn title(self) -> &'static str {
        match self {
            Role::Viewer => "Viewer",
            Role::Billing => "Billing",
            Role::Developer => "Developer",
            Role::Admin => "Admin",
            Role::Owner => "Owner",
        }
    }

    /// What the role is for, in one sentence.
    pub fn words(self) -> &'static str {
        match self {
            Role::Viewer => "Sees everything and changes nothing.",
            Role::Billing => "Sees everything, and looks after plans, payments and invoices.",
            Role::Developer => "Makes, deploys, scales and configures applications, but deletes none.",
            Role::Admin => "Does everything except handing the organization over or deleting it.",
            Role::Owner => "Does everything.",
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
        Role::ALL.into_iter().find(|role| role.name() == text).ok_or("A role is viewer, billing, developer, admin or owner.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stronger_role_may_all_that_a_weaker_one_may() {
        for (weak, strong) in [
            (Role::Viewer, Role::Billing),
            (Role::Viewer, Role::Developer),
            (Role::Developer, Role::Admin),
            (Role::Billing, Role::Admin),
            (Role::Admin, Role::Owner),
        ] {
            assert!(weak.permissions().without(strong.permissions()).is_empty(), "{weak} {strong}");
        }
        assert!(!Role::Viewer.may(Action::Deploy) && !Role::Billing.may(Action::Deploy));
        assert!(!Role::Developer.may(Action::Delete) && !Role::Developer.may(Action::Members));
        assert!(Role::Admin.may(Action::Settings) && !Role::Admin.may(Action::Ownership));
        assert_eq!(Role::Owner.permissions(), Permissions::ALL);
    }

    #[test]
    fn a_set_of_permissions_is_a_list_of_names() {
        let some = Permissions::of(&[Action::Deploy, Action::View]);
        assert_eq!(serde_json::to_string(&some).unwrap(), r#"["view","deploy"]"#);
        assert_eq!(serde_json::from_str::<Permissions>(r#"["deploy","view","view"]"#).unwrap(), some);
        assert!(serde_json::from_str::<Permissions>(r#"["fly"]"#).is_err());
        for action in Action::ALL {
            assert_eq!(action.name().parse::<Action>().unwrap(), *action);
            assert_eq!(serde_json::to_value(action).unwrap(), action.name());
            assert!(Permissions::ALL.may(*action) && !Permissions::NONE.may(*action));
            assert!(action.words().ends_with('.'), "{action}");
        }
    }
}
