//! Images: found, fetched, pushed, listed, removed.
use super::*;
use bollard::{
    auth::DockerCredentials,
    models::ImageInspect,
    query_parameters::{
        CreateImageOptionsBuilder, ListContainersOptionsBuilder, ListImagesOptionsBuilder, PushImageOptionsBuilder,
        RemoveImageOptionsBuilder, TagImageOptionsBuilder,
    },
};
use futures::{StreamExt, TryStreamExt, stream};

impl Engine {
    pub(super) async fn find_image(&self, reference: &str) -> Result<Image> {
        Ok(image(self.call("looking at an image", |d| async move { d.inspect_image(reference).await }).await?))
    }

    /// What is named by content is looked for on the engine first. A tag is asked of its registry every time: it may point
    /// elsewhere by now, and what lies on the engine may be another customer's, fetched with a credential that this one lacks.
    /// Only where the registry can't be reached does the engine's own copy do.
    pub(super) async fn resolve_image(&self, reference: &str, auth: Option<&RegistryAuth>) -> Result<Image> {
        if reference.starts_with("sha256:") {
            return self.find_image(reference).await;
        }
        if reference.contains('@')
            && let Ok(found) = self.find_image(reference).await
        {
            return Ok(found);
        }
        match self.pull(reference, auth.map(services::credentials)).await {
            Err(SwarmError::Refused(words)) if is_out_of_reach(&words) => {
                self.find_image(reference).await.map_err(|_| SwarmError::Refused(words))
            }
            Err(SwarmError::NotFound(words)) => Err(SwarmError::Refused(words)),
            Err(why) => Err(why),
            Ok(()) => self.find_image(reference).await,
        }
    }

    async fn pull(&self, reference: &str, auth: Option<DockerCredentials>) -> Result<()> {
        // Without a tag the engine would fetch all of them.
        let (name, tag) = split(reference);
        let options = CreateImageOptionsBuilder::default().from_image(name).tag(tag).build();
        let pulled = self.call_within(TRANSFER, "pulling an image", |d| async move {
            d.create_image(Some(options), None, auth).try_for_each(|_| std::future::ready(Ok(()))).await
        });
        pulled.await
    }

    pub(super) async fn push_image(&self, image: &str, target: &str, auth: Option<&RegistryAuth>) -> Result<String> {
        let (name, tag) = split(target);
        let label = TagImageOptionsBuilder::default().repo(name).tag(tag).build();
        self.call("naming an image", |d| async move { d.tag_image(image, Some(label)).await }).await?;
        let options = PushImageOptionsBuilder::default().tag(tag).build();
        let auth = auth.map(services::credentials);
        let told = self.call_within(TRANSFER, "pushing an image", |d| async move {
            let statuses = d.push_image(name, Some(options), auth).try_filter_map(|info| std::future::ready(Ok(info.status)));
            statuses.try_collect::<Vec<String>>().await
        });
        // `v1: digest: sha256:… size: 1234`
        let digest = told.await?.iter().rev().find_map(|s| s.split_once("digest: ")?.1.split(' ').next().map(String::from));
        digest.map(|d| format!("{name}@{d}")).ok_or_else(|| SwarmError::Refused(format!("the registry told no digest for {target}")))
    }

    pub(super) async fn read_images(&self) -> Result<Vec<Image>> {
        let options = ListImagesOptionsBuilder::default().filters(&filters([("label", OURS)])).build();
        let listed = self.call("listing the images", |d| async move { d.list_images(Some(options)).await }).await?;
        let looks = stream::iter(listed).map(|summary| async move { self.find_image(&summary.id).await }).buffered(8);
        let found = looks.filter_map(|image| async move {
            match image {
                // Removed between the list and the look.
                Err(SwarmError::NotFound(_)) => None,
                other => Some(other),
            }
        });
        found.try_collect().await
    }

    pub(super) async fn drop_image(&self, id: &str) -> Result<()> {
        let there = match self.find_image(id).await {
            Err(SwarmError::NotFound(_)) => return Ok(()),
            other => other?,
        };
        if !there.labels.contains_key(OURS) {
            return Err(SwarmError::Refused(format!("image {id} is not ours")));
        }
        // Asked before the first tag goes, lest a refusal leave the image half named.
        let using = ListContainersOptionsBuilder::default().all(true).filters(&filters([("ancestor", &there.id)])).build();
        let using = self.call("looking for containers", |d| async move { d.list_containers(Some(using)).await }).await?;
        if let Some(container) = using.first() {
            return Err(SwarmError::Conflict(format!("image {id} is in use by container {}", container.id.as_deref().unwrap_or_default())));
        }
        for name in there.tags.iter().map(String::as_str).chain([there.id.as_str()]) {
            let options = RemoveImageOptionsBuilder::default().build();
            let removed = self.call("removing an image", |d| async move { d.remove_image(name, Some(options), None).await }).await;
            errors::gone_is_fine(removed.map(|_| ()))?;
        }
        Ok(())
    }
}

fn image(there: ImageInspect) -> Image {
    let config = there.config.unwrap_or_default();
    let tcp = |port: &String| port.strip_suffix("/tcp").unwrap_or(port).parse::<u16>().ok();
    let mut ports: Vec<u16> = config.exposed_ports.unwrap_or_default().iter().filter_map(tcp).collect();
    ports.sort_unstable();
    Image {
        id: there.id.unwrap_or_default(),
        tags: there.repo_tags.unwrap_or_default(),
        labels: config.labels.unwrap_or_default().into_iter().collect(),
        size: Bytes(there.size.unwrap_or_default().max(0) as u64),
        ports,
        created: moment(there.created.as_ref()),
    }
}

/// A reference as name and tag (or digest). A colon before a slash is a registry's port.
fn split(reference: &str) -> (&str, &str) {
    if let Some((name, digest)) = reference.split_once('@') {
        return (name, digest);
    }
    match reference.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (reference, "latest"),
    }
}

/// Whether the words tell that the registry could not be asked, rather than that it said no.
fn is_out_of_reach(words: &str) -> bool {
    [
        "dial tcp",
        "lookup ",
        "i/o timeout",
        "Client.Timeout",
        "connection refused",
        "no route to host",
        "network is unreachable",
        "TLS handshake timeout",
    ]
    .iter()
    .any(|w| words.contains(w))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_split_at_the_right_colon() {
        assert_eq!(split("busybox"), ("busybox", "latest"));
        assert_eq!(split("busybox:1.36"), ("busybox", "1.36"));
        assert_eq!(split("localhost:5000/a/b"), ("localhost:5000/a/b", "latest"));
        assert_eq!(split("localhost:5000/a/b:v1"), ("localhost:5000/a/b", "v1"));
        assert_eq!(split("a/b@sha256:ab"), ("a/b", "sha256:ab"));
    }
}
