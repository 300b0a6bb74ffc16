//! What browsers' forms say, put into the words of the API: the same parsing and the same sentences for both doors, under the field names
//! that the forms have.
use crate::{
    error::{Error, FieldError, Fields, Result},
    routing::model::{
        BalancingForm, BalancingInput, BasicAuthExceptionsInput, EdgeLimitsInput, HstsInput, HttpsForm, LimitsForm, MaintenanceForm,
        MaintenanceInput, RateInput, UpdateRouting,
    },
};

const DAY: u64 = 86_400;

fn filled(text: &str) -> Option<String> {
    Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_string)
}

fn number<T: std::str::FromStr>(fields: &mut Fields, name: &str, text: &str) -> Option<T> {
    filled(text).and_then(|text| fields.take(name, text.parse().map_err(|_| "Give a whole number.")))
}

/// The form of the maintenance page.
pub fn maintenance(form: &MaintenanceForm) -> Result<UpdateRouting> {
    let mut fields = Fields::default();
    let minutes: Option<u32> = number(&mut fields, "retry_after_minutes", &form.retry_after_minutes);
    fields.done()?;
    let maintenance = MaintenanceInput {
        enabled: None,
        page: Some(filled(&form.page)),
        retry_after_seconds: Some(minutes.unwrap_or(5).saturating_mul(60)),
        bypass: Some(filled(&form.bypass)),
    };
    Ok(UpdateRouting { maintenance: Some(maintenance), ..Default::default() })
}

/// The form of HTTPS and HSTS.
pub fn https(form: &HttpsForm) -> Result<UpdateRouting> {
    let mut fields = Fields::default();
    let days: Option<u64> = number(&mut fields, "hsts_days", &form.hsts_days);
    fields.done()?;
    let hsts = form.hsts.is_some().then(|| HstsInput {
        max_age_seconds: days.unwrap_or(365).saturating_mul(DAY),
        include_subdomains: form.include_subdomains.is_some(),
        preload: form.preload.is_some(),
    });
    Ok(UpdateRouting { https: Some(form.https.clone()), hsts: Some(hsts), ..Default::default() })
}

/// The form of what passes without a name and a password.
pub fn login_exceptions(preflights: bool, bearer_tokens: bool) -> UpdateRouting {
    let exceptions = BasicAuthExceptionsInput { preflights: Some(preflights), bearer_tokens: Some(bearer_tokens) };
    UpdateRouting { basic_auth_exceptions: Some(exceptions), ..Default::default() }
}

/// The form of limits; what is empty is as the platform has it.
pub fn limits(form: &LimitsForm) -> Result<UpdateRouting> {
    let mut fields = Fields::default();
    let mib: Option<u64> = number(&mut fields, "body_mib", &form.body_mib);
    let per_second: Option<u32> = number(&mut fields, "rate_per_second", &form.rate_per_second);
    let burst: Option<u32> = number(&mut fields, "rate_burst", &form.rate_burst);
    let limits = EdgeLimitsInput {
        body_bytes: Some(mib.map(|mib| mib.saturating_mul(1 << 20))),
        rate: Some(per_second.map(|per_second| RateInput { per_second, burst })),
        body_timeout_seconds: Some(number(&mut fields, "body_timeout_seconds", &form.body_timeout_seconds)),
        response_timeout_seconds: Some(number(&mut fields, "response_timeout_seconds", &form.response_timeout_seconds)),
    };
    if per_second.is_none() && burst.is_some() {
        fields.refuse("rate_per_second", "Say how many requests per second, too.");
    }
    fields.done()?;
    Ok(UpdateRouting { limits: Some(limits), ..Default::default() })
}

/// The form of balancing.
pub fn balancing(form: &BalancingForm) -> Result<UpdateRouting> {
    let mut fields = Fields::default();
    let balancing = BalancingInput {
        sticky: Some(form.sticky.clone()),
        slow_start_seconds: Some(number(&mut fields, "slow_start_seconds", &form.slow_start_seconds).unwrap_or(0)),
        protocol: Some(form.protocol.clone()),
        probe: Some(form.probe.clone()),
        probe_path: Some(filled(&form.probe_path)),
        probe_interval_seconds: Some(number(&mut fields, "probe_interval_seconds", &form.probe_interval_seconds)),
    };
    fields.done()?;
    Ok(UpdateRouting { balancing: Some(balancing), ..Default::default() })
}

/// The form of the access log's share, in percent.
pub fn access_log(percent: &str) -> Result<UpdateRouting> {
    let number = percent.trim().replace(',', ".").parse::<f64>().ok().filter(|percent| (0.0..=100.0).contains(percent));
    let percent = number.ok_or_else(|| Error::invalid("percent", "A share from 0 to 100 percent, like 10 or 0.5."))?;
    Ok(UpdateRouting { access_log_permille: Some((percent * 10.0).round() as u32), ..Default::default() })
}

/// The form of one error page.
pub fn error_page(status: &str, page: Option<String>) -> UpdateRouting {
    UpdateRouting { error_pages: Some([(status.trim().to_string(), page)].into()), ..Default::default() }
}

/// The API's field names in the forms'.
pub fn typed(why: Error) -> Error {
    let rename = |field: String| {
        let last = field.rsplit('.').next().unwrap_or_default();
        match field.as_str() {
            "maintenance.retry_after_seconds" => "retry_after_minutes".into(),
            "hsts.max_age_seconds" => "hsts_days".into(),
            "limits.body_bytes" => "body_mib".into(),
            "limits.rate.per_second" => "rate_per_second".into(),
            "limits.rate.burst" => "rate_burst".into(),
            "basic_auth" => "username".into(),
            "request_headers" | "response_headers" => "name".into(),
            "access_log_permille" => "percent".into(),
            field if field.starts_with("error_pages") => "page".into(),
            _ => last.to_string(),
        }
    };
    match why {
        Error::Invalid(fields) => {
            Error::Invalid(fields.into_iter().map(|it| FieldError { field: rename(it.field), message: it.message }).collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{routing::model::Rules, units::Timestamp};

    fn fields(why: Error) -> Vec<String> {
        match typed(why) {
            Error::Invalid(fields) => fields.into_iter().map(|it| it.field).collect(),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn an_empty_form_of_limits_asks_for_none() {
        let form = LimitsForm { body_mib: "5".into(), rate_per_second: "10".into(), ..Default::default() };
        let (rules, _) = limits(&form).unwrap().parse(&Rules::default(), &[], Timestamp(0)).unwrap();
        assert_eq!((rules.limits.body_bytes, rules.limits.rate.unwrap().burst), (Some(5 << 20), 20));
        let (rules, _) = limits(&LimitsForm::default()).unwrap().parse(&rules, &[], Timestamp(0)).unwrap();
        assert_eq!(rules, Rules::default());
    }

    #[test]
    fn what_is_wrong_is_told_under_the_names_of_the_form() {
        let form = LimitsForm { body_mib: "x".into(), rate_burst: "3".into(), ..Default::default() };
        assert_eq!(fields(limits(&form).unwrap_err()), ["body_mib", "rate_per_second"]);
        let form = HttpsForm { https: "auto".into(), hsts: Some("true".into()), hsts_days: "9999".into(), ..Default::default() };
        assert_eq!(fields(https(&form).unwrap().parse(&Rules::default(), &[], Timestamp(0)).err().unwrap()), ["hsts_days"]);
        assert!(access_log("101").is_err() && access_log("x").is_err());
        assert_eq!(access_log("0,5").unwrap().access_log_permille, Some(5));
    }
}
