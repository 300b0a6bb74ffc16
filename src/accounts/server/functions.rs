//! The server functions that change something, with what each costs.
use crate::accounts::fns::factors::{
    AddPasskey, BeginPasskey, BeginPasskeyConfirmation, BeginPasskeySignIn, BeginSecondPasskey, DisableTotp, EnableTotp, LinkIdentity,
    PutRecoveryCodesAway, RemovePasskey, RenamePasskey, RenewRecoveryCodes, SetUpTotp, SignInWithPasskey, UnlinkIdentity,
};
use crate::accounts::fns::{
    CancelEmailChange, ChangeEmail, ChangeName, ChangePassword, EndOtherSessions, EndSession, ForgotPassword, ResendVerification,
    ResetPassword, SetUp, SignIn, SignInWithCode, SignOut, SignUp, VerifyEmail,
};
use crate::web::{
    declared::{FunctionClass, function},
    rate_limits::Class,
};

/// Every function of this feature that does more than read.
pub const FUNCTIONS: &[FunctionClass] = &[
    function::<SetUpTotp>(Class::Usual),
    function::<EnableTotp>(Class::Usual),
    function::<DisableTotp>(Class::Usual),
    function::<RenewRecoveryCodes>(Class::Usual),
    function::<PutRecoveryCodesAway>(Class::Usual),
    function::<BeginPasskey>(Class::Usual),
    function::<AddPasskey>(Class::Usual),
    function::<RenamePasskey>(Class::Usual),
    function::<RemovePasskey>(Class::Usual),
    function::<BeginPasskeyConfirmation>(Class::Usual),
    function::<BeginPasskeySignIn>(Class::Usual),
    function::<BeginSecondPasskey>(Class::Usual),
    function::<SignInWithPasskey>(Class::SignIn),
    function::<LinkIdentity>(Class::Usual),
    function::<UnlinkIdentity>(Class::Usual),
    function::<SignUp>(Class::SignIn),
    function::<SetUp>(Class::SignIn),
    function::<SignIn>(Class::SignIn),
    function::<SignInWithCode>(Class::SignIn),
    function::<SignOut>(Class::Usual),
    function::<ChangeName>(Class::Usual),
    function::<ChangeEmail>(Class::Mail),
    function::<CancelEmailChange>(Class::Usual),
    function::<ResendVerification>(Class::Mail),
    function::<VerifyEmail>(Class::Usual),
    function::<ChangePassword>(Class::Usual),
    function::<ForgotPassword>(Class::Mail),
    function::<ResetPassword>(Class::SignIn),
    function::<EndSession>(Class::Usual),
    function::<EndOtherSessions>(Class::Usual),
];
