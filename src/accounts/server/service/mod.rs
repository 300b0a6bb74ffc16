//! What can be done with accounts: each file holds the use-cases of one kind.
mod emails;
pub mod factors;
pub mod passkeys;
mod password;
mod profile;
pub mod providers;
pub mod recovery;
mod recovery_codes;
pub mod security;
mod sessions;
mod sign_in;
mod sign_up;
mod tokens;
pub mod totp;

pub use emails::{cancel_change, look_at_link, resend_verification, verify_email};
pub use password::{change_password, check_password, forgot_password, is_reset_link, reset_password};
pub use profile::{change_profile, profile};
pub use sessions::{end_other_sessions, end_session, sessions};
pub use sign_in::{
    Begun, Proof, begin_sign_in, complete_sign_in, finish_sign_in, go_on, note, pending_sign_in, second_factor, sign_in, sign_out,
};
pub use sign_up::{found, insert_user, insert_without_password, is_new, is_setup_link, join, join_as, open_first, setup_link, sign_up};
pub use tokens::{hand_out, refresh};

use crate::{
    accounts::model::{Me, Organization, User},
    web::ctx::Ctx,
};

/// Who asks, and where.
pub fn me(ctx: &Ctx) -> Me {
    let who = &ctx.who;
    Me {
        user: User { id: who.user.clone(), name: who.name.clone(), email: who.email.clone(), is_operator: who.is_operator },
        organization: Organization { id: who.org.clone(), name: who.org_name.clone() },
        role: who.role.clone(),
        permissions: who.permissions,
    }
}
