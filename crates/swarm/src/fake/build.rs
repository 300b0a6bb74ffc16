//! Builds of the fake: a Dockerfile read and played, or what a test has planned. `RUN` understands what [`super::script`] does,
//! `COPY` misses what is not in the context, `FROM` fails for images that were refused.
use super::{controls::BuildPlan, script::Plan, state::State, *};
use crate::context::{Context, Unfit};
use futures::stream;

/// What a build says, each so long after the last, and what comes of it.
#[derive(Default)]
struct Play {
    events: VecDeque<(Duration, BuildEvent)>,
    ports: Vec<u16>,
    command: Option<Vec<String>>,
    failed: bool,
}

impl Play {
    fn say(&mut self, after: Duration, line: impl Into<String>) {
        self.events.push_back((after, BuildEvent::Line(line.into())));
    }

    fn fail(&mut self, after: Duration, why: BuildFailure) {
        self.events.push_back((after, BuildEvent::Failed(why)));
        self.failed = true;
    }

    fn fail_step(&mut self, message: impl Into<String>) {
        self.fail(Duration::ZERO, BuildFailure::Step { message: message.into(), exit_code: None });
    }
}

/// Counts a build for as long as its stream lives.
struct Counted(Fake);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.state().builds -= 1;
    }
}

pub(super) fn run(fake: Fake, spec: BuildSpec) -> BoxStream<'static, BuildEvent> {
    fake.state().builds += 1;
    let counted = Counted(fake.clone());
    let (play, content) = prepare(&fake, &spec);
    let end = (!play.failed).then_some((spec, content, play.ports, play.command));
    stream::unfold((fake, play.events, end, counted), |(fake, mut events, mut end, counted)| async move {
        if let Some((after, event)) = events.pop_front() {
            fake.pass(after).await;
            return Some((event, (fake, events, end, counted)));
        }
        let (spec, content, ports, command) = end.take()?;
        let image = fake.state().add_built(&spec, &content, ports, command);
        Some((BuildEvent::Done(image), (fake, events, end, counted)))
    })
    .boxed()
}

fn prepare(fake: &Fake, spec: &BuildSpec) -> (Play, Vec<u8>) {
    let mut play = Play::default();
    let state = fake.state();
    if let Some(planned) = State::latest(&state.plans, &spec.tag, &spec.tag, &spec.labels) {
        follow(planned, &mut play);
        return (play, spec.tag.clone().into_bytes());
    }
    let context = match Context::gather(&spec.context, &spec.dockerfile, spec.max_context) {
        Ok(context) => context,
        Err(why) => {
            let why = match why {
                Unfit::TooLarge => BuildFailure::ContextTooLarge,
                Unfit::NoDockerfile => BuildFailure::NoDockerfile,
                Unfit::Broken(message) => BuildFailure::Step { message, exit_code: None },
            };
            play.fail(Duration::ZERO, why);
            return (play, vec![]);
        }
    };
    let text = std::fs::read_to_string(spec.context.join(&spec.dockerfile)).unwrap_or_default();
    act(&state, &text, &context, &mut play);
    let mut content = vec![];
    if let Err(why) = context.pack(&mut content) {
        play.fail_step(why.to_string());
    }
    (play, content)
}

fn follow(planned: &BuildPlan, play: &mut Play) {
    let pause = planned.takes / (planned.lines.len() as u32 + 1);
    planned.lines.iter().for_each(|line| play.say(pause, line));
    match &planned.failure {
        Some(why) => play.fail(pause, why.clone()),
        None => play.say(pause, "Successfully built"),
    }
}

fn act(state: &State, text: &str, context: &Context, play: &mut Play) {
    let joined = text.replace("\\\n", " ");
    let steps: Vec<&str> = joined.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')).collect();
    if steps.is_empty() {
        return play.fail_step("the Dockerfile (Dockerfile) cannot be empty");
    }
    for (i, step) in steps.iter().enumerate() {
        play.say(Duration::ZERO, format!("Step {}/{} : {step}", i + 1, steps.len()));
        let (word, rest) = step.split_once(char::is_whitespace).map(|(w, r)| (w, r.trim())).unwrap_or((step, ""));
        match word.to_ascii_uppercase().as_str() {
            "FROM" => {
                let base = rest.split_whitespace().next().unwrap_or_default();
                if let Some(words) = state.refused.get(base) {
                    return play.fail_step(words.clone());
                }
            }
            _ if i == 0 && word != "ARG" => return play.fail_step("no build stage in current context"),
            "RUN" => run_step(rest, play),
            "COPY" | "ADD" => copy_step(rest, context, play),
            "EXPOSE" => play.ports.extend(rest.split_whitespace().filter_map(|p| p.trim_end_matches("/tcp").parse::<u16>().ok())),
            "CMD" | "ENTRYPOINT" => play.command = Some(words(rest)),
            "ENV" | "ARG" | "LABEL" | "WORKDIR" | "USER" | "VOLUME" | "SHELL" | "STOPSIGNAL" | "HEALTHCHECK" | "ONBUILD" | "MAINTAINER" => {
            }
            _ => {
                return play.fail_step(format!(
                    "dockerfile parse error line {}: unknown instruction: {}",
                    i + 1,
                    word.to_ascii_uppercase()
                ));
            }
        }
        if play.failed {
            return;
        }
    }
    play.ports.sort_unstable();
    play.say(Duration::ZERO, "Successfully built");
}

fn run_step(command: &str, play: &mut Play) {
    play.say(Duration::ZERO, " ---> Running in 0123456789ab");
    // What the fake does not know (a package manager, a compiler) succeeds at once.
    let mut plan = Plan::of(&words(command));
    plan.steps.retain(|s| !matches!(s, script::Step::Serve(_)));
    let outcome = plan.run_out(Duration::MAX);
    for (_, line) in &outcome.output {
        play.say(outcome.took / (outcome.output.len() as u32 + 1), line.clone());
    }
    let rest = outcome.took / (outcome.output.len() as u32 + 1);
    match outcome.exit_code {
        _ if outcome.out_of_memory => play.fail(rest, BuildFailure::OutOfMemory),
        Some(code) if code != 0 => {
            let message = format!("The command '/bin/sh -c {command}' returned a non-zero code: {code}");
            play.fail(rest, BuildFailure::Step { message, exit_code: Some(code) });
        }
        _ => play.say(rest, " ---> Removed intermediate container 0123456789ab"),
    }
}

fn copy_step(rest: &str, context: &Context, play: &mut Play) {
    let words: Vec<&str> = rest.split_whitespace().filter(|w| !w.starts_with("--")).collect();
    if rest.contains("--from") || words.len() < 2 {
        return;
    }
    for source in &words[..words.len() - 1] {
        let bare = source.trim_start_matches("./").trim_matches('/');
        let is_there =
            bare.is_empty() || bare == "." || source.contains(['*', ':', '[']) || context.entries().iter().any(|e| e.starts_with(bare));
        if !is_there {
            let message =
                format!("COPY failed: file not found in build context or excluded by .dockerignore: stat {bare}: file does not exist");
            return play.fail_step(message);
        }
    }
}

/// A command in either of a Dockerfile's forms.
fn words(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_else(|_| vec!["/bin/sh".into(), "-c".into(), text.into()])
}
