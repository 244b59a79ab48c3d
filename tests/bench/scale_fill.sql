-- Fills the database up to :upto connections that nobody works on, beside those that are used, with :stopped stopped channels per calendar.
-- Run as the owner of the cluster by bench_scale.py. Tenants are of very different sizes: the number falls on the cube of an even spread,
-- so that a few tenants hold most people. Nothing of this falls due while something is measured.
SET session_replication_role = replica;

CREATE TEMP TABLE fresh AS
SELECT i, 'filler-' || floor(power((i * 0.6180339887498949)::numeric % 1, 3) * (10 + i / 25)) AS tenant, md5('connection ' || i)::uuid AS connection
  FROM generate_series(:since + 1, :upto) AS i;

INSERT INTO user_calendar_connections (tenant_id, connection_id, user_id, client_id, google_sub, connected_email, data_key, access_token, refresh_token,
                                       token_expires_at, granted_scopes, calendars_read_at, last_synced_at, default_calendar_id, list_sync_token, list_channel_due_at)
SELECT tenant, connection, 'user-' || i, 'calbridge-dev.apps.googleusercontent.com', 'sub-' || i, 'user-' || i || '@filler.example', decode(repeat(md5(i::text), 2), 'hex'),
       decode(repeat(md5(i::text), 13), 'hex'), decode(repeat(md5(i::text), 8), 'hex'), now() + interval '2 hours' * (1 + i % 100 / 100.0),
       '{openid,email,https://www.googleapis.com/auth/calendar.events,https://www.googleapis.com/auth/calendar.calendarlist.readonly}', now(), now() - i % 3600 * interval '1 second',
       md5('calendar ' || i || ' 0')::uuid, md5('list ' || i), now() + interval '1 day' + i % 432000 * interval '1 second'
  FROM fresh;

INSERT INTO calendars (tenant_id, calendar_id, connection_id, google_calendar_id, summary, time_zone, access_role, is_primary, selected, sync_token, sync_fingerprint,
                       dirty_seq, synced_seq, pass_id, lease_epoch, channel_due_at, next_poll_at, last_polled_at, last_changed_at, last_synced_at)
SELECT tenant, md5('calendar ' || i || ' ' || n)::uuid, connection, CASE n WHEN 0 THEN 'user-' || i || '@filler.example' ELSE 'c_' || md5('google ' || i) || '@group.calendar.google.com' END,
       CASE n WHEN 0 THEN 'user-' || i || '@filler.example' ELSE 'Team' END, 'Europe/Zurich', 'owner', n = 0, true, md5(i || ' token') || md5(n || ' token'),
       'singleEvents=false&showDeleted=true&maxResults=250', 7, 7, 1, 3, now() + interval '1 day' + i % 432000 * interval '1 second',
       now() + interval '3 hours' + i % 3600 * interval '1 second', now(), now() - i % 864000 * interval '1 second', now() - i % 3600 * interval '1 second'
  FROM fresh, generate_series(0, 1) AS n;

INSERT INTO channels (tenant_id, channel_id, connection_id, calendar_id, resource_id, token_hash, state, expires_at, renew_at, last_message_number, verified_at,
                      last_message_at, created_at)
SELECT tenant, md5('channel ' || i || ' ' || n)::uuid, connection, md5('calendar ' || i || ' ' || n)::uuid, md5('resource ' || i), decode(repeat(md5(i::text), 2), 'hex'), 'active',
       now() + interval '2 days' + i % 432000 * interval '1 second', now() + interval '1 day' + i % 432000 * interval '1 second', i % 1000, now(), now(), now()
  FROM fresh, generate_series(0, 1) AS n;

INSERT INTO channels (tenant_id, channel_id, connection_id, kind, resource_id, token_hash, state, expires_at, renew_at, last_message_number, verified_at,
                      last_message_at, created_at)
SELECT tenant, md5('list channel ' || i)::uuid, connection, 'calendar_list', md5('list ' || i), decode(repeat(md5(i::text), 2), 'hex'), 'active',
       now() + interval '2 days' + i % 432000 * interval '1 second', now() + interval '1 day' + i % 432000 * interval '1 second', 1, now(), now(), now()
  FROM fresh;

INSERT INTO tasks (tenant_id, task_id, user_id, version, snapshot, calendar_id, dirty_seq, synced_seq, absorbed_version, seen, local, update_seq, state)
SELECT tenant, 'task-' || i || '-' || n, 'user-' || i, 2,
       jsonb_build_object('tenantId', tenant, 'userId', 'user-' || i, 'taskId', 'task-' || i || '-' || n, 'version', '2', 'type', 'call', 'title', 'Call ' || md5(i::text),
                          'start', '2030-01-01T10:00:00', 'end', '2030-01-01T10:30:00', 'timeZone', 'Europe/Zurich'),
       md5('calendar ' || i || ' 0')::uuid, 3, 3, 2, jsonb_build_object('title', 'Call ' || md5(i::text)), jsonb_build_object('title', 'Call ' || md5(i::text)), 2, 'synced'
  FROM fresh, generate_series(0, 1) AS n;

INSERT INTO task_links (tenant_id, link_id, task_id, connection_id, calendar_id, google_calendar_id, google_calendar_event_id, state, google_calendar_etag, base, google_base,
                        remote, operation_seq, recorded_seq)
SELECT tenant, md5('link ' || i || ' ' || n)::uuid, 'task-' || i || '-' || n, connection, md5('calendar ' || i || ' 0')::uuid, 'user-' || i || '@filler.example',
       md5('event ' || i || ' ' || n), 'live', '"' || md5(i::text) || '"', jsonb_build_object('title', 'Call ' || md5(i::text)),
       jsonb_build_object('title', 'Call ' || md5(i::text)), jsonb_build_object('title', 'Call ' || md5(i::text)), 1, 1
  FROM fresh, generate_series(0, 1) AS n;

INSERT INTO operations (tenant_id, operation_id, link_id, calendar_id, sequence, kind, state, pushed, expected, answer_status, answer_etag, created_at, finished_at)
SELECT tenant, md5('operation ' || i || ' ' || n)::uuid, md5('link ' || i || ' ' || n)::uuid, md5('calendar ' || i || ' 0')::uuid, 1, 'create', 'done', '{title,time}',
       jsonb_build_object('title', 'Call ' || md5(i::text)), 200, '"' || md5(i::text) || '"', now() - i % 2000000 * interval '1 second', now()
  FROM fresh, generate_series(0, 1) AS n;

INSERT INTO events (tenant_id, calendar_id, google_event_id, etag, status, ical_uid, summary, start_at, end_at, time_zone, organizer_email, updated_at, raw)
SELECT tenant, md5('calendar ' || i || ' 0')::uuid, md5('event ' || i || ' ' || n), '"' || md5(i::text) || '"', 'confirmed', md5('event ' || i || ' ' || n) || '@google.com',
       'Call ' || md5(i::text), now() + n * interval '1 day', now() + n * interval '1 day 30 minutes', 'Europe/Zurich', 'user-' || i || '@filler.example', now(),
       jsonb_build_object('id', md5('event ' || i || ' ' || n), 'summary', 'Call ' || md5(i::text), 'description', repeat(md5(n::text), 8), 'status', 'confirmed')
  FROM fresh, generate_series(0, 2) AS n;

INSERT INTO inbox (tenant_id, source, message_id, seen_at)
SELECT tenant, 'calendar-changed', md5('message ' || i || ' ' || n), now() - i % 1000000 * interval '1 second'
  FROM fresh, generate_series(0, 1) AS n;

-- Channels are replaced on day 6 and kept for 30 days after that.
INSERT INTO channels (tenant_id, channel_id, connection_id, calendar_id, resource_id, token_hash, state, state_reason, expires_at, renew_at, last_message_number,
                      verified_at, last_message_at, created_at, superseded_at, stopped_at)
SELECT c.tenant_id, md5('old channel ' || c.calendar_id || ' ' || n)::uuid, c.connection_id, c.calendar_id, md5('resource ' || c.calendar_id), decode(repeat(md5(n::text), 2), 'hex'),
       'stopped', 'replaced', now() - n * interval '6 days', now() - n * interval '7 days', 40, now(), now(), now() - (n + 1) * interval '6 days', now() - n * interval '6 days',
       now() - n * interval '6 days'
  FROM calendars c, generate_series(1, :stopped) AS n
 WHERE c.tenant_id LIKE 'filler-%';
