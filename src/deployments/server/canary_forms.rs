//! What the form of rollouts says, put into the words of the API: the same parsing and the same sentences, under the names of the fields.
use crate::{
    deployments::model::{CanaryInput, RolloutForm, RolloutInput, Step},
    error::{Error, FieldError, Fields, Result},
};

/// The form, parsed.
pub fn rollout(form: &RolloutForm) -> Result<RolloutInput> {
    let mut fields = Fields::default();
    let steps: std::result::Result<Vec<Step>, String> =
        form.steps.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::parse).collect();
    let steps = fields.take("steps", steps);
    let minutes: Option<u32> = whole(&mut fields, "longest_minutes", &form.longest_minutes);
    let points = form.error_points.trim().replace(',', ".").parse::<f64>().ok().filter(|it| it.is_finite());
    if points.is_none() {
        fields.refuse("error_points", "A number of percentage points, like 1 or 0.5.");
    }
    let canary = CanaryInput {
        steps,
        longest_seconds: minutes.map(|it| it.saturating_mul(60)),
        min_requests: whole(&mut fields, "min_requests", &form.min_requests),
        error_margin_permille: points.map(|it| (it * 10.0).round().clamp(0.0, 1_000_000.0) as u32),
        p95_factor_percent: whole(&mut fields, "p95_factor", &form.p95_factor),
        p95_floor_millis: whole(&mut fields, "p95_floor", &form.p95_floor),
        too_little: Some(form.too_little.clone()),
        sticky: Some(form.sticky.is_some()),
    };
    fields.done()?;
    Ok(RolloutInput { strategy: Some(form.strategy.clone()), canary: Some(canary) })
}

fn whole(fields: &mut Fields, name: &str, text: &str) -> Option<u32> {
    let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    fields.take(name, digits.parse().map_err(|_| "A whole number."))
}

/// The API's field names in the form's.
pub fn typed(why: Error) -> Error {
    let rename = |field: String| match field.as_str() {
        "canary.longest_seconds" => "longest_minutes".into(),
        "canary.error_margin_permille" => "error_points".into(),
        "canary.p95_factor_percent" => "p95_factor".into(),
        "canary.p95_floor_millis" => "p95_floor".into(),
        other => other.strip_prefix("canary.").unwrap_or(other).to_string(),
    };
    match why {
        Error::Invalid(fields) => {
            Error::Invalid(fields.into_iter().map(|it| FieldError { field: rename(it.field), message: it.message }).collect())
        }
        other => other,
    }
}
