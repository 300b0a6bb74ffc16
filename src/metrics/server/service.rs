//! An application's numbers for the pages and the API.
use crate::{
    deployments::model::Phase,
    edge::{Histogram, ReleaseSignals},
    error::{Error, Result},
    fault::Because,
    id::{AppId, DeploymentId},
    metrics::{
        model::{
            EDGE, EdgeNumbers, KEPT, Latency, MOST_POINTS, Mark, Metrics, Numbers, PlatformPoint, PlatformTraffic, Point, Range,
            ReleaseNumbers, STEPS,
        },
        server::query::MetricsQuery,
    },
    rights::Action,
    store::tables::deployment,
    traffic::server::service::{self, EdgeCount, Step},
    units::Timestamp,
    web::ctx::{Ctx, Operator},
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

/// Releases that are told apart.
const RELEASES: usize = 20;
/// Deployments that are marked.
const MARKS: u64 = 100;

/// Which numbers, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// In milliseconds; both lie on steps.
    from: i64,
    to: i64,
    step: i64,
    source: Step,
    /// A deployment's id, or nothing for the edge's own answers.
    release: Option<String>,
}

impl Span {
    /// Checks what was asked for. Points begin on whole steps, so that the same minute is always in the same point.
    pub fn parse(asked: &MetricsQuery, now: Timestamp) -> Result<Self> {
        let release = match asked.release.as_deref() {
            None | Some("") => None,
            Some(EDGE) => Some(String::new()),
            Some(id) => {
                let id: Result<DeploymentId, _> = id.parse();
                Some(id.map_err(|_| Error::invalid("release", "A release is the id of its deployment (dep_…), or edge."))?.to_string())
            }
        };
        let (from, to, usual) = match (&asked.from, &asked.to) {
            (None, None) => {
                let range = asked.range.as_deref().map_or(Ok(Range::default()), str::parse)?;
                (now.millis() - range.seconds() * 1_000, now.millis(), range.step())
            }
            _ if asked.range.is_some() => return Err(Error::invalid("range", "Give a range, or from and to.")),
            (from, to) => {
                let moment = |field: &str, text: &Option<String>| {
                    let text = text.as_deref().ok_or_else(|| Error::invalid(field, "Give both from and to."))?;
                    let at: Result<Timestamp, _> = serde_json::from_value(text.into());
                    at.map(Timestamp::millis).map_err(|_| Error::invalid(field, "A time like 2026-01-31T12:00:00Z."))
                };
                let (from, to) = (moment("from", from)?, moment("to", to)?.min(now.millis()));
                if from >= to {
                    return Err(Error::invalid("from", "The beginning lies before the end, and in the past."));
                }
                (from, to, usual(now.millis() - from, to - from))
            }
        };
        let step = asked.step.unwrap_or(usual);
        if !STEPS.contains(&step) {
            return Err(Error::invalid("step", format!("A step is one of {STEPS:?} seconds.")));
        }
        let source = match step {
            86_400.. => Step::Day,
            900.. => Step::Quarter,
            _ => Step::Minute,
        };
        let length = step * 1_000;
        let to = to + (-to).rem_euclid(length);
        let from = from - from.rem_euclid(length);
        if (to - from) / length > MOST_POINTS {
            return Err(Error::invalid("step", format!("That would be more than {MOST_POINTS} points: take a longer step.")));
        }
        Ok(Span { from, to, step, source, release })
    }

    fn of(range: Range, now: Timestamp) -> Result<Self> {
        Span::parse(&MetricsQuery { range: Some(range.name().into()), ..MetricsQuery::default() }, now)
    }

    fn between(&self) -> (Timestamp, Timestamp) {
        (Timestamp(self.from), Timestamp(self.to))
    }

    fn index(&self, at: Timestamp) -> i64 {
        (at.millis() - self.from).div_euclid(self.step * 1_000)
    }

    /// When each point begins.
    fn points(&self) -> impl Iterator<Item = i64> + use<> {
        (self.from..self.to).step_by(usize::try_from(self.step * 1_000).unwrap_or(60_000))
    }
}

/// The step that suits a stretch of time: short enough to be kept that long, and few enough points to look at.
fn usual(age: i64, length: i64) -> i64 {
    let kept = KEPT.iter().find(|(_, kept)| age <= kept * 1_000).map_or(86_400, |(step, _)| *step);
    STEPS.into_iter().find(|step| *step >= kept && length / (step * 1_000) <= 400).unwrap_or(86_400)
}

fn latency(of: &Histogram) -> Option<Latency> {
    let micros = |share| of.quantile(share).map(|time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    Some(Latency { p50_micros: micros(0.5)?, p95_micros: micros(0.95)?, p99_micros: micros(0.99)? })
}

fn numbers(of: &ReleaseSignals, in_flight: u64) -> Numbers {
    let [informational, success, redirect, client_error, server_error] = of.classes;
    Numbers {
        requests: of.requests,
        informational,
        success,
        redirect,
        client_error,
        server_error,
        aborted: of.aborted,
        bytes_in: of.bytes_in,
        bytes_out: of.bytes_out,
        retried: of.retried,
        held: of.held,
        in_flight,
        latency: latency(&of.latency),
    }
}

/// A sum over edges and releases. In hand at once is what they had together in the busiest span.
#[derive(Debug, Default)]
struct Sum {
    signals: ReleaseSignals,
    at: i64,
    now: u64,
    most: u64,
}

impl Sum {
    /// Rows come in order of time.
    fn add(&mut self, at: Timestamp, one: &ReleaseSignals) {
        if self.at != at.millis() {
            (self.at, self.now) = (at.millis(), 0);
        }
        self.now += one.in_flight;
        self.most = self.most.max(self.now);
        self.signals += one;
    }

    fn numbers(&self) -> Numbers {
        numbers(&self.signals, self.most)
    }
}

/// The numbers of an application, where the caller may see it.
pub async fn metrics(ctx: &Ctx, id: &AppId, span: &Span) -> Result<Metrics> {
    let app = ctx.app(id).to(Action::View).await?;
    let db = ctx.panel.db.read();
    let rows = service::series(db, id, span.source, span.between(), span.release.as_deref()).await?;
    let told: BTreeSet<i64> =
        service::reported(db, span.source, span.between()).await?.into_iter().map(|(at, ..)| span.index(at)).collect();
    let (mut total, mut points, mut releases) = (Sum::default(), BTreeMap::<i64, Sum>::new(), HashMap::<String, Sum>::new());
    for (at, _, one) in &rows {
        total.add(*at, one);
        points.entry(span.index(*at)).or_default().add(*at, one);
        releases.entry(one.release.clone()).or_default().add(*at, one);
    }
    let mut points: Vec<Point> = span
        .points()
        .enumerate()
        .map(|(n, at)| {
            let n = i64::try_from(n).unwrap_or(i64::MAX);
            let is_before = at + span.step * 1_000 <= app.created_at.millis();
            let zeros = (told.contains(&n) && !is_before).then(Numbers::default);
            Point { at: Timestamp(at), numbers: points.get(&n).map(Sum::numbers).or(zeros) }
        })
        .collect();
    // A span that has only just begun is no gap yet.
    points.pop_if(|last| last.numbers.is_none() && last.at.millis() + span.step * 1_000 > ctx.panel.now().millis());
    let mut releases: Vec<(String, Numbers)> = releases.into_iter().map(|(release, sum)| (release, sum.numbers())).collect();
    releases.sort_by(|(a, x), (b, y)| (y.requests, a).cmp(&(x.requests, b)));
    releases.truncate(RELEASES);
    Ok(Metrics {
        from: Timestamp(span.from),
        to: Timestamp(span.to),
        step_seconds: span.step,
        total: total.numbers(),
        points,
        releases: named(ctx, id, releases).await?,
        deployments: marks(ctx, id, span).await?,
    })
}

/// Releases with the numbers of their deployments.
async fn named(ctx: &Ctx, app: &AppId, releases: Vec<(String, Numbers)>) -> Result<Vec<ReleaseNumbers>> {
    let ids: Vec<DeploymentId> = releases.iter().filter_map(|(id, _)| id.parse().ok()).collect();
    let known: Vec<(DeploymentId, i64)> = deployment::Entity::find()
        .select_only()
        .columns([deployment::Column::Id, deployment::Column::Number])
        .filter(deployment::Column::Id.is_in(ids))
        .filter(deployment::Column::ApplicationId.eq(app.clone()))
        .into_tuple()
        .all(ctx.panel.db.read())
        .await
        .because("looking up deployments")?;
    let known: HashMap<DeploymentId, i64> = known.into_iter().collect();
    let named = |(id, numbers): (String, Numbers)| {
        let deployment_id: Option<DeploymentId> = id.parse().ok();
        let number = deployment_id.as_ref().and_then(|id| known.get(id));
        ReleaseNumbers { deployment_number: number.and_then(|n| u64::try_from(*n).ok()), deployment_id, numbers }
    };
    Ok(releases.into_iter().map(named).collect())
}

/// Deployments that went live in the time.
async fn marks(ctx: &Ctx, app: &AppId, span: &Span) -> Result<Vec<Mark>> {
    use deployment::Column as C;
    let (from, to) = span.between();
    let mut rows: Vec<(DeploymentId, i64, Option<Timestamp>)> = deployment::Entity::find()
        .select_only()
        .columns([C::Id, C::Number, C::FinishedAt])
        .filter(C::ApplicationId.eq(app.clone()))
        .filter(C::Phase.eq(Phase::Live.name()))
        .filter(C::FinishedAt.gte(from))
        .filter(C::FinishedAt.lt(to))
        .order_by_desc(C::Number)
        .limit(MARKS)
        .into_tuple()
        .all(ctx.panel.db.read())
        .await
        .because("looking up deployments")?;
    rows.reverse();
    let mark = |(deployment_id, number, at): (DeploymentId, i64, Option<Timestamp>)| {
        Some(Mark { deployment_id, number: u64::try_from(number).ok()?, at: at? })
    };
    Ok(rows.into_iter().filter_map(mark).collect())
}

/// What all edges were asked: for operators.
pub async fn platform(ctx: &Operator) -> Result<PlatformTraffic> {
    let (db, now) = (ctx.panel.db.read(), ctx.panel.now());
    let minute = Step::Minute.begin(now.millis());
    let hour = service::reported(db, Step::Minute, (Timestamp(minute - 3_600_000), Timestamp(minute + 60_000))).await?;
    let mut edges: BTreeMap<String, (Timestamp, EdgeCount)> = BTreeMap::new();
    for (at, edge, count) in hour {
        let (last, sum) = edges.entry(edge).or_default();
        *last = (*last).max(at);
        if (minute - 300_000..minute).contains(&at.millis()) {
            sum.merge(&count);
        }
    }
    let told = |(edge, (last, sum)): (String, (Timestamp, EdgeCount))| EdgeNumbers {
        edge,
        last,
        requests: sum.requests,
        failed: sum.failed,
        unrouted: sum.unrouted,
        bytes_in: sum.bytes_in,
        bytes_out: sum.bytes_out,
        in_flight: sum.in_flight,
    };
    let span = Span::of(Range::Day, now)?;
    let mut sums: BTreeMap<i64, EdgeCount> = BTreeMap::new();
    for (at, _, count) in service::reported(db, span.source, span.between()).await? {
        sums.entry(at.millis()).or_default().merge(&count);
    }
    let mut points: Vec<PlatformPoint> = span
        .points()
        .map(|at| {
            let sum = sums.get(&at);
            let of = |read: fn(&EdgeCount) -> u64| sum.map(read);
            PlatformPoint {
                at: Timestamp(at),
                requests: of(|sum| sum.requests),
                failed: of(|sum| sum.failed),
                unrouted: of(|sum| sum.unrouted),
            }
        })
        .collect();
    points.pop_if(|last| last.requests.is_none() && last.at + Duration::from_secs(900) > now);
    Ok(PlatformTraffic { edges: edges.into_iter().map(told).collect(), points, step_seconds: span.step })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(range: Option<&str>, from: Option<&str>, to: Option<&str>, step: Option<i64>) -> MetricsQuery {
        let own = |text: Option<&str>| text.map(str::to_string);
        MetricsQuery { range: own(range), from: own(from), to: own(to), step, ..MetricsQuery::default() }
    }

    #[test]
    fn points_lie_on_whole_steps_and_are_bounded() {
        let now: Timestamp = serde_json::from_value("2026-01-31T12:34:56Z".into()).unwrap();
        for range in Range::ALL {
            let span = Span::of(range, now).unwrap();
            assert!(span.from % (span.step * 1_000) == 0 && span.to % (span.step * 1_000) == 0, "{range:?}");
            assert!((60..=400).contains(&span.points().count()), "{range:?}: {}", span.points().count());
            assert!(span.to >= now.millis() && span.from <= now.millis() - range.seconds() * 1_000);
        }
        let (from, to) = (Some("2026-01-31T10:00:00Z"), Some("2026-01-31T12:00:00Z"));
        let span = Span::parse(&asked(None, from, to, None), now).unwrap();
        assert_eq!((span.step, span.source, span.points().count()), (60, Step::Minute, 120));
        let span = Span::parse(&asked(None, Some("2026-01-02T10:00:00Z"), to, None), now).unwrap();
        assert_eq!((span.step, span.source), (10_800, Step::Quarter));
        for (wrong, field) in [
            (asked(Some("2h"), None, None, None), "range"),
            (asked(Some("1h"), from, to, None), "range"),
            (asked(None, from, None, None), "to"),
            (asked(None, to, from, None), "from"),
            (asked(None, Some("yesterday"), to, None), "from"),
            (asked(Some("1h"), None, None, Some(61)), "step"),
            (asked(Some("30d"), None, None, Some(60)), "step"),
            (MetricsQuery { release: Some("x".into()), ..MetricsQuery::default() }, "release"),
        ] {
            match Span::parse(&wrong, now) {
                Err(Error::Invalid(fields)) => assert_eq!(fields[0].field, field),
                other => panic!("{wrong:?}: {other:?}"),
            }
        }
    }
}
