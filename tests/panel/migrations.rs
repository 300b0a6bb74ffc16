//! Every step of the schema goes up, down and up again, and leaves nothing behind.
use crate::support::panel::{TestDatabase, step_down, step_up};
use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use skypanel::store::Db;

/// Tables, their columns and indexes, one a line.
async fn schema(db: &Db) -> Vec<String> {
    let sql = match db.backend() {
        DbBackend::Sqlite => "SELECT type || ' ' || name || ' ' || coalesce(sql, '') AS line FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' AND tbl_name NOT LIKE 'seaql%'",
        _ => {
            "SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || coalesce(column_default, '') AS line
             FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE 'seaql%'
             UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename NOT LIKE 'seaql%'
             UNION ALL SELECT typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE nspname = 'public' AND typtype = 'e'
             UNION ALL SELECT sequencename FROM pg_sequences WHERE schemaname = 'public'"
        }
    };
    let rows = db.read().query_all_raw(Statement::from_string(db.backend(), sql)).await.unwrap();
    let mut lines: Vec<String> = rows.iter().map(|row| row.try_get::<String>("", "line").unwrap()).collect();
    lines.sort();
    lines
}

#[tokio::test]
async fn every_step_goes_down_and_up_again() {
    let database = TestDatabase::empty().await;
    let db = Db::connect(&database.url).await.unwrap();
    assert_eq!(schema(&db).await, Vec::<String>::new());
    let mut stages = vec![Vec::new()];
    for step in Migrator::migrations() {
        step_up(&db).await;
        stages.push(schema(&db).await);
        let [.., before, after] = stages.as_slice() else { unreachable!() };
        assert!(after.len() > before.len(), "{} made nothing", step.name());
    }
    for (index, stage) in stages.iter().enumerate().rev().skip(1) {
        step_down(&db, 1).await;
        assert_eq!(&schema(&db).await, stage, "after going down to step {index}");
        step_up(&db).await;
        assert_eq!(schema(&db).await, stages[index + 1], "after coming up again to step {}", index + 1);
        step_down(&db, 1).await;
    }
    db.migrate().await.unwrap();
    assert_eq!(&schema(&db).await, stages.last().unwrap());
    step_down(&db, Migrator::migrations().len() as u32).await;
    assert_eq!(schema(&db).await, Vec::<String>::new());
}

#[tokio::test]
async fn migrating_twice_at_once_is_as_good_as_once() {
    let database = TestDatabase::empty().await;
    let (one, other) = (Db::connect(&database.url).await.unwrap(), Db::connect(&database.url).await.unwrap());
    let (first, second) = tokio::join!(one.migrate(), other.migrate());
    first.unwrap();
    second.unwrap();
    assert!(!schema(&other).await.is_empty());
}
