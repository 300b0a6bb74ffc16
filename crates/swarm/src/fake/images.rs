//! Images of the fake: what was built, and what a registry would give.
use super::{observe::with_mark, state::State, *};
use sha2::{Digest, Sha256};

/// An image and what it does by itself.
pub(super) struct Picture {
    pub image: Image,
    /// References by which it was pulled or pushed.
    pub references: Vec<String>,
    pub command: Option<Vec<String>>,
}

impl State {
    pub fn picture(&self, reference: &str) -> Option<&Picture> {
        self.images.iter().find(|p| p.image.id == reference || p.image.tags.iter().chain(&p.references).any(|r| r == reference))
    }

    /// Whether a node could run it: an id has to be on the engine, a reference is had unless it was refused.
    pub fn known_image(&self, reference: &str) -> Result<()> {
        if let Some(words) = self.refused.get(reference) {
            return Err(SwarmError::Refused(words.clone()));
        }
        if reference.starts_with("sha256:") && self.picture(reference).is_none() {
            return Err(SwarmError::NotFound(format!("No such image: {reference}")));
        }
        Ok(())
    }

    pub fn resolve(&mut self, reference: &str) -> Result<Image> {
        self.known_image(reference)?;
        match self.picture(reference) {
            Some(there) => Ok(there.image.clone()),
            None => Ok(self.add_pulled(reference, &[])),
        }
    }

    pub fn add_pulled(&mut self, reference: &str, ports: &[u16]) -> Image {
        let id = digest(reference.as_bytes());
        let created = self.moment();
        let image = Image { id, tags: vec![reference.into()], labels: Labels::new(), size: Bytes::mib(50), ports: ports.to_vec(), created };
        self.keep(Picture { image: image.clone(), references: vec![], command: None });
        image
    }

    /// Adds an image; its tags point to it from now on.
    pub fn keep(&mut self, new: Picture) {
        for there in &mut self.images {
            there.image.tags.retain(|t| !new.image.tags.contains(t));
        }
        match self.images.iter_mut().find(|p| p.image.id == new.image.id) {
            Some(there) => there.image.tags.extend(new.image.tags),
            None => self.images.push(new),
        }
        self.changed = true;
    }

    pub fn push(&mut self, image: &str, target: &str) -> Result<String> {
        let there = self.picture(image).ok_or_else(|| SwarmError::NotFound(format!("No such image: {image}")))?;
        let id = there.image.id.clone();
        let name = target.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).map_or(target, |(name, _)| name);
        let reference = format!("{name}@{}", digest(format!("pushed {id}").as_bytes()));
        if let Some(there) = self.images.iter_mut().find(|p| p.image.id == id) {
            there.image.tags.push(target.into());
            there.references.push(reference.clone());
        }
        Ok(reference)
    }

    pub fn remove_image(&mut self, id: &str) -> Result<()> {
        let Some(there) = self.images.iter().find(|p| p.image.id == id) else { return Ok(()) };
        if !there.image.labels.contains_key(OURS) {
            return Err(SwarmError::Refused(format!("image {id} is not ours")));
        }
        let names = |image: &String| image == id || there.image.tags.contains(image) || there.references.contains(image);
        if let Some(user) = self.tasks.values().find(|t| t.began.is_some() && names(&t.spec.image)) {
            return Err(SwarmError::Conflict(format!("image {id} is in use by container container-{}", state::id(user.number))));
        }
        self.images.retain(|p| p.image.id != id);
        Ok(())
    }

    /// Keeps what a build has made.
    pub fn add_built(&mut self, spec: &BuildSpec, content: &[u8], ports: Vec<u16>, command: Option<Vec<String>>) -> Image {
        let labels = with_mark(&spec.labels);
        let id = digest(&[content, format!("{:?} {labels:?}", spec.build_args).as_bytes()].concat());
        let created = self.moment();
        let image = Image { id: id.clone(), tags: vec![spec.tag.clone()], labels, size: Bytes::mib(60), ports, created };
        self.keep(Picture { image, references: vec![], command });
        self.picture(&id).map(|p| p.image.clone()).expect("it was kept a line above")
    }
}

fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
    format!("sha256:{hex}")
}
