//! Room for one step more.
use sea_orm_migration::prelude::*;

/// This step.
pub struct Step;

impl MigrationName for Step {
    fn name(&self) -> &str {
        "m0018_spare"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, UP).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, DOWN).await
    }
}

const UP: &[&str] = &[];

const DOWN: &[&str] = &[];
