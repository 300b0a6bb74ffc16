-- Many tenants beside the one that is measured: psql -v owner=usr_… -v org=org_… -v app=app_… . Ids are numbers in their 26 letters.
\set ON_ERROR_STOP on
SET synchronous_commit = off;
-- In one piece: the panel that is running gives every organization that it finds without one a cluster.
BEGIN;
INSERT INTO organizations (id, name, slug, created_at)
  SELECT 'org_' || lpad(n::text, 26, '0'), 'Organization ' || n, 'bench-' || n, 1700000000000 FROM generate_series(1, 1000) n;
INSERT INTO users (id, email, name, password_hash, created_at)
  SELECT 'usr_' || lpad(n::text, 26, '0'), 'person' || n || '@example.com', 'Person ' || n, '!', 1700000000000 FROM generate_series(1, 10000) n;
INSERT INTO memberships (organization_id, user_id, role, created_at)
  SELECT 'org_' || lpad(((n - 1) / 10 + 1)::text, 26, '0'), 'usr_' || lpad(n::text, 26, '0'), CASE WHEN n % 10 = 1 THEN 'owner' ELSE 'developer' END,
         1700000000000 FROM generate_series(1, 10000) n;
INSERT INTO clusters (id, organization_id, provider_id, plan_id, name, created_at)
  SELECT 'cls_' || lpad(n::text, 26, '0'), 'org_' || lpad(n::text, 26, '0'), c.provider_id, c.plan_id, c.name, 1700000000000
  FROM generate_series(1, 1000) n, clusters c WHERE c.organization_id = :'org';
INSERT INTO subnets (provider_id, number, cluster_id)
  SELECT c.provider_id, 2000 + n, 'cls_' || lpad(n::text, 26, '0') FROM generate_series(1, 1000) n, clusters c WHERE c.organization_id = :'org';
-- Nine of ten applications are others'; four hundred are the caller's, so that writes meet each other rarely.
INSERT INTO applications (id, organization_id, cluster_id, name, host, settings, replicas, wanted, env_version, version, created_at, updated_at)
  SELECT 'app_' || lpad(n::text, 26, '0'), CASE WHEN n <= 400 THEN a.organization_id ELSE 'org_' || lpad((n % 1000 + 1)::text, 26, '0') END,
         CASE WHEN n <= 400 THEN a.cluster_id ELSE 'cls_' || lpad((n % 1000 + 1)::text, 26, '0') END,
         'bench-' || n, 'bench-' || n, a.settings, 1, a.wanted, 0, 1, 1700000000000, 1700000000000
  FROM generate_series(1, 10000) n, applications a WHERE a.id = :'app';
INSERT INTO audit_events (id, organization_id, user_id, event, target, detail, address, request_id, created_at)
  SELECT 'aud_' || lpad(n::text, 26, '0'), 'org_' || lpad((n % 1000 + 1)::text, 26, '0'), 'usr_' || lpad((n % 10000 + 1)::text, 26, '0'),
         'application.configured', 'app_' || lpad((n % 10000 + 1)::text, 26, '0'), '{}', '203.0.113.1', 'req_' || n, 1700000000000 + n
  FROM generate_series(1, 1000000) n;
COMMIT;
ANALYZE;
