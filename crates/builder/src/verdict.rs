//! What the engine says of a build that failed, in words of ours: what happened, and what its owner can do.
use crate::{
    boxes::resolver::Refusal as NameRefusal,
    buildkit::trace::cut,
    ranges::Reach,
    seam::{BoxSize, BuildFailure},
};
use std::net::IpAddr;

/// What is known beside the engine's words.
pub struct Circumstances<'a> {
    pub reach: &'a Reach,
    /// Names that the resolver refused lately.
    pub names: &'a [NameRefusal],
    /// Whether the steps' memory was at its end.
    pub out_of_memory: bool,
    pub size: &'a BoxSize,
    /// The step that failed, with what was said of it.
    pub step: Option<(u32, String)>,
    pub last_lines: String,
}

const SAID: usize = 600;

/// The failure that the engine's words mean.
pub fn verdict(said: &str, of: &Circumstances<'_>) -> BuildFailure {
    let said = &cut(said.trim(), 8 * SAID);
    let has = |part: &str| said.contains(part);
    if has("no space left on device") || of.last_lines.contains("No space left on device") {
        return BuildFailure::DiskFull(of.size.disk);
    }
    if let Some(walled) = walled(said, of) {
        return walled;
    }
    if let Some((parsed, line)) = parse_error(said) {
        return BuildFailure::Parse { line, said: parsed };
    }
    if let Some(missing) = missing(said) {
        return missing;
    }
    if has("exit code: ") || has("executor failed running") {
        let exit = said.rsplit("exit code: ").next().and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok());
        if exit == Some(137) && of.out_of_memory {
            return BuildFailure::OutOfMemory(of.size.memory);
        }
        // A walled address is met by a program more often than by the engine; its name is the better sentence.
        if let Some(name) = of.names.last().filter(|name| of.last_lines.contains(&name.name)) {
            return BuildFailure::Walled { target: name.name.clone(), why: name.place };
        }
        return BuildFailure::Step { n: of.step.as_ref().map_or(0, |step| step.0), exit, said: cut(&of.last_lines, SAID) };
    }
    missing(said)
        .or_else(|| image(said))
        .or_else(|| network(said))
        .unwrap_or_else(|| BuildFailure::Other(cut(said.lines().next_back().unwrap_or_default(), SAID)))
}

/// `dial tcp 10.0.0.2:3000: connect: no route to host`, and names that the resolver refused.
fn walled(said: &str, of: &Circumstances<'_>) -> Option<BuildFailure> {
    if let Some(name) = of.names.iter().rev().find(|name| said.contains(&format!("lookup {}", name.name))) {
        return Some(BuildFailure::Walled { target: name.name.clone(), why: name.place });
    }
    let dialled = said.split("dial tcp ").skip(1).find_map(|rest| {
        let target = rest.split(": ").next()?.split(' ').next()?;
        let ip: IpAddr = target.rsplit_once(':')?.0.trim_matches(['[', ']']).parse().ok()?;
        Some((ip, of.reach.closed(ip)?))
    });
    dialled.map(|(ip, why)| BuildFailure::Walled { target: ip.to_string(), why })
}

fn parse_error(said: &str) -> Option<(String, Option<u32>)> {
    let at =
        ["dockerfile parse error", "Dockerfile parse error", "failed to parse dockerfile"].into_iter().find_map(|word| said.find(word))?;
    let rest = said.get(at..)?;
    let line = rest.split("on line ").nth(1).or_else(|| rest.split(" line ").nth(1));
    let line = line.and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok());
    let words = rest.split(": ").skip(1).collect::<Vec<_>>().join(": ");
    Some((cut(words.trim(), SAID), line))
}

fn missing(said: &str) -> Option<BuildFailure> {
    // What follows the words: what is quoted, or what stands before a space or colon.
    let after = |words: &str| -> Option<String> {
        let rest = said.get(said.find(words)? + words.len()..)?;
        let named = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split('"').next()?,
            None => rest.split([' ', ':', '\n']).next()?,
        };
        Some(cut(named, 200))
    };
    let first = |all: &[&str]| all.iter().find_map(|words| after(words)).unwrap_or_else(|| "what it names".into());
    if ["unable to find groups for spec", "unable to find user"].iter().any(|words| said.contains(words)) {
        return Some(BuildFailure::NoSuchUser(first(&["for spec ", "find user "])));
    }
    if ["failed to compute cache key", "failed to walk", "failed to calculate checksum"].iter().any(|words| said.contains(words)) {
        let path = said.split('"').find(|part| part.starts_with('/'));
        return path.filter(|_| said.contains("not found")).map(|path| BuildFailure::MissingFile(cut(path, 200)));
    }
    if said.contains("secret ") && said.contains("not found") {
        return Some(BuildFailure::MissingSecret(first(&["secret "])));
    }
    if said.contains("target stage") && said.contains("could not be found") {
        return Some(BuildFailure::NoSuchTarget(first(&["target stage "])));
    }
    None
}

/// What is said of a base: its reference stands before the first colon and space.
fn image(said: &str) -> Option<BuildFailure> {
    let name = || {
        let failed = said.split("failed to solve").last().unwrap_or(said);
        let named = failed.split(": ").map(str::trim).find(|part| part.contains('/') && !part.contains(' '));
        cut(named.unwrap_or("that it names"), 200)
    };
    let has = |part: &str| said.contains(part);
    if has("no match for platform") || has("no matching manifest for") {
        return Some(BuildFailure::WrongPlatform(name()));
    }
    if has("pull access denied")
        || has("failed to authorize")
        || has("insufficient_scope")
        || has("401 Unauthorized")
        || has("authorization failed")
    {
        return Some(BuildFailure::BasePrivate(name()));
    }
    if said.ends_with(": not found")
        || has("manifest unknown")
        || has("repository name not known")
        || (has("not found") && (has("docker.io/") || has("load metadata") || has("failed to resolve")))
    {
        return Some(BuildFailure::BaseMissing(name()));
    }
    None
}

fn network(said: &str) -> Option<BuildFailure> {
    const SIGNS: [&str; 10] = [
        "no such host",
        "i/o timeout",
        "TLS handshake timeout",
        "x509: ",
        "connection refused",
        "connection reset",
        "no route to host",
        "network is unreachable",
        "server misbehaving",
        "http: server gave HTTP response to HTTPS client",
    ];
    let sign = SIGNS.into_iter().find(|sign| said.contains(sign))?;
    let line = said.lines().find(|line| line.contains(sign)).unwrap_or(said);
    if sign == "no such host" {
        let host = line.split("lookup ").nth(1).and_then(|rest| rest.split([' ', ':']).next()).unwrap_or("that it names");
        return Some(BuildFailure::Unreachable(format!("no host is called {}", cut(host, 200))));
    }
    let line = line.rsplit("failed to do request: ").next().unwrap_or(line);
    Some(BuildFailure::Unreachable(cut(line.rsplit("dial tcp ").next().unwrap_or(line), SAID)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ranges::Place;

    fn sentence(said: &str, last: &str, out_of_memory: bool) -> String {
        let names = [NameRefusal { name: "lan.example".into(), address: "10.0.9.9".parse().unwrap(), place: Place::Private }];
        let (reach, size) = (Reach::default(), BoxSize::default());
        let of = Circumstances {
            reach: &reach,
            names: &names,
            out_of_memory,
            size: &size,
            step: Some((3, String::new())),
            last_lines: last.into(),
        };
        verdict(said, &of).to_string()
    }

    #[test]
    fn each_of_the_engine_s_words_has_a_sentence_with_a_remedy() {
        for (said, last, expected) in [
            (
                "failed to load cache key: Get http://10.0.0.2:3000/: dial tcp 10.0.0.2:3000: connect: no route to host",
                "",
                "10.0.0.2 is a private address",
            ),
            ("dial tcp [fd12::9]:80: connect: permission denied", "", "fd12::9 is a private address"),
            (
                "Get http://lan.example/: dial tcp: lookup lan.example on 198.19.255.1:53: server misbehaving",
                "",
                "lan.example is a private address",
            ),
            ("dial tcp: lookup nope.example on 198.19.255.1:53: no such host", "", "no host is called nope.example"),
            ("executor failed running [/bin/sh -c false]: exit code: 3", "why", "Step 3 of the build ended with exit code 3"),
            ("process \"/bin/sh -c false\" did not complete successfully: exit code: 127", "", "exit code 127"),
            ("executor failed running [wget]: exit code: 1", "wget: bad address 'lan.example'", "lan.example is a private address"),
            ("dockerfile parse error line 4: unknown instruction: FRM", "", "Line 4 of the Dockerfile: unknown instruction: FRM."),
            (
                "failed to solve with frontend dockerfile.v0: failed to create LLB definition: dockerfile parse error on line 2: Unknown flag: link",
                "",
                "Line 2",
            ),
            ("failed to copy: write /x: no space left on device", "", "disk of 10 GiB is full"),
            ("executor failed running [dd]: exit code: 1", "dd: error writing: No space left on device", "disk of 10 GiB is full"),
            ("failed to compute cache key: \"/nope\" not found: not found", "", "has no /nope, or"),
            ("failed to calculate checksum of ref a::b: \"/nope\": not found", "", "has no /nope, or"),
            ("failed to solve: secret npm: not found", "", "the secret npm"),
            ("executor failed running [/bin/sh -c true]: unable to find user app: no matching entries", "", "USER app"),
            ("failed to solve: secret npm not found: not found", "", "the secret npm,"),
            ("target stage prod could not be found", "", "no stage prod"),
            (
                "docker.io/library/nope:latest: pull access denied, repository does not exist",
                "",
                "docker.io/library/nope:latest is private or not there",
            ),
            ("93.184.216.34/x/y:1: failed to do request: x509: certificate signed by unknown authority", "", "can’t be reached"),
            ("something else entirely", "", "The build failed: something else entirely."),
        ] {
            let sentence = sentence(said, last, false);
            assert!(sentence.contains(expected), "{said}: {sentence}");
        }
        assert!(sentence("executor failed running [x]: exit code: 137", "", true).contains("more memory than the 2 GiB"));
        assert!(sentence("executor failed running [x]: exit code: 137", "", false).contains("exit code 137"));
    }
}
