-- Foundation: roles, tenants' tables with forced row-level security, and the narrow functions that may cross tenants.
-- Every tenant table leads its primary, unique and foreign keys with tenant_id.

DO $$
DECLARE r text;
BEGIN
    FOREACH r IN ARRAY ARRAY['calbridge_gateway', 'calbridge_ingest', 'calbridge_worker', 'calbridge_renewer'] LOOP
        IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = r) THEN
            EXECUTE format('CREATE ROLE %I LOGIN', r);
        END IF;
    END LOOP;
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'calbridge_definer') THEN
        CREATE ROLE calbridge_definer NOLOGIN;
    END IF;
    EXECUTE format('GRANT calbridge_definer TO %I', current_user);
END $$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO calbridge_gateway, calbridge_ingest, calbridge_worker, calbridge_renewer, calbridge_definer;
GRANT CREATE ON SCHEMA public TO calbridge_definer;

-- The tenant of this transaction; NULL (matches nothing) when it was not set.
CREATE FUNCTION current_tenant() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('app.tenant', true), '');
GRANT EXECUTE ON FUNCTION current_tenant() TO PUBLIC;

CREATE TABLE google_integrations (
    tenant_id      text NOT NULL,
    integration_id uuid NOT NULL,
    user_id        text,                       -- NULL: the tenant's own, usable by all its users
    name           text NOT NULL,
    client_id      text NOT NULL,
    client_secret  bytea NOT NULL,             -- sealed
    redirect_uri   text NOT NULL,
    status         text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disabled')),
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, integration_id)
);

CREATE TABLE user_calendar_connections (
    tenant_id              text NOT NULL,
    connection_id          uuid NOT NULL,
    user_id                text NOT NULL,
    integration_id         uuid,               -- NULL: the default client from the environment
    client_id              text NOT NULL,      -- the OAuth client the grant belongs to
    google_sub             text NOT NULL,
    connected_email        text NOT NULL,
    data_key               bytea,              -- wrapped; NULL once destroyed
    access_token           bytea,              -- sealed under data_key
    refresh_token          bytea,              -- sealed under data_key
    token_expires_at       timestamptz,
    refresh_lease_until    timestamptz,        -- one refresh at a time across processes
    granted_scopes         text[] NOT NULL DEFAULT '{}',
    mode                   text NOT NULL DEFAULT 'two_way' CHECK (mode IN ('two_way', 'crm_to_google', 'google_to_crm', 'busy_only')),
    status                 text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'paused', 'revoked', 'disconnected')),
    status_reason          text NOT NULL DEFAULT '',
    auto_sync_tasks        boolean NOT NULL DEFAULT true,
    import_external_events boolean NOT NULL DEFAULT false,
    conflict_policy        text NOT NULL DEFAULT 'ask' CHECK (conflict_policy IN ('ask', 'crm_wins', 'google_wins', 'last_write_wins')),
    delete_choice          text NOT NULL DEFAULT 'cancel_task' CHECK (delete_choice IN ('cancel_task', 'unlink', 'put_back')),
    sync_settings          jsonb NOT NULL DEFAULT '{}',
    task_type_colors       jsonb NOT NULL DEFAULT '{}',
    default_calendar_id    uuid,
    is_default             boolean NOT NULL DEFAULT true,   -- where the user's tasks go when they have several accounts
    calendars_read_at      timestamptz,
    discovery_claimed_until timestamptz NOT NULL DEFAULT '-infinity',
    idle_checked_at        timestamptz,        -- when the renewer last looked after an unused grant
    last_synced_at         timestamptz,
    failures               integer NOT NULL DEFAULT 0,
    revision               bigint NOT NULL DEFAULT 1,
    created_at             timestamptz NOT NULL DEFAULT now(),
    updated_at             timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, connection_id),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES google_integrations (tenant_id, integration_id),
    UNIQUE (tenant_id, user_id, google_sub)
);
CREATE UNIQUE INDEX one_default_connection ON user_calendar_connections (tenant_id, user_id)
    WHERE is_default AND status <> 'disconnected';

CREATE TABLE consent_attempts (
    tenant_id      text NOT NULL,
    state_hash     bytea NOT NULL,             -- SHA-256 of the state handle
    session_hash   bytea NOT NULL,             -- SHA-256 of the browser session it belongs to
    user_id        text NOT NULL,
    integration_id uuid,
    mode           text NOT NULL,
    scopes         text[] NOT NULL,
    nonce          text NOT NULL,
    code_verifier  bytea NOT NULL,             -- sealed
    connection_id  uuid,                       -- set for a reconnect of this connection
    expires_at     timestamptz NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, state_hash),
    FOREIGN KEY (tenant_id, integration_id) REFERENCES google_integrations (tenant_id, integration_id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES user_calendar_connections (tenant_id, connection_id)
);
CREATE INDEX consent_attempts_age ON consent_attempts (expires_at);

CREATE TABLE calendars (
    tenant_id          text NOT NULL,
    calendar_id        uuid NOT NULL,
    connection_id      uuid NOT NULL,
    google_calendar_id text NOT NULL,
    summary            text NOT NULL DEFAULT '',
    time_zone          text NOT NULL DEFAULT 'UTC',
    access_role        text NOT NULL DEFAULT 'reader',
    is_primary         boolean NOT NULL DEFAULT false,
    selected           boolean NOT NULL DEFAULT false,
    missing_since      timestamptz,            -- no longer in the calendar list
    sync_token         text,
    sync_fingerprint   text NOT NULL DEFAULT '',
    dirty_seq          bigint NOT NULL DEFAULT 0,
    synced_seq         bigint NOT NULL DEFAULT 0,
    dirty_at           timestamptz,                 -- when the oldest hint not yet synced was taken in
    woken_at           timestamptz,                 -- when the clock last sent a wake-up for overdue work
    pass_id            bigint NOT NULL DEFAULT 0,   -- counts full passes; events seen carry it (mark and sweep)
    pass_page_token    text,                        -- where an interrupted pass goes on
    pass_dirty_seq     bigint,                      -- dirty_seq when that pass began
    lease_owner        text,
    lease_epoch        bigint NOT NULL DEFAULT 0,
    lease_until        timestamptz NOT NULL DEFAULT '-infinity',
    retry_at           timestamptz,
    failures           integer NOT NULL DEFAULT 0,
    last_error         text NOT NULL DEFAULT '',
    pushable           boolean NOT NULL DEFAULT true,
    channel_failures   integer NOT NULL DEFAULT 0,          -- watch calls failed in a row
    channel_due_at     timestamptz NOT NULL DEFAULT now(),  -- when its channel must be opened, replaced or tried again; a claim moves it on
    next_poll_at       timestamptz NOT NULL DEFAULT now(),
    last_polled_at     timestamptz,
    last_changed_at    timestamptz,
    last_synced_at     timestamptz,
    created_at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, calendar_id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES user_calendar_connections (tenant_id, connection_id),
    UNIQUE (tenant_id, connection_id, google_calendar_id)
);
-- Hints and wake-ups name a calendar without its tenant. Not unique on purpose: a unique key without the tenant would tell tenants of each other.
CREATE INDEX calendars_by_id ON calendars (calendar_id);
CREATE INDEX calendars_pending ON calendars (retry_at NULLS FIRST) WHERE synced_seq < dirty_seq;
CREATE INDEX calendars_channel_due ON calendars (channel_due_at) WHERE selected AND missing_since IS NULL;
CREATE INDEX calendars_poll ON calendars (next_poll_at) WHERE selected AND missing_since IS NULL;
ALTER TABLE user_calendar_connections ADD FOREIGN KEY (tenant_id, default_calendar_id) REFERENCES calendars (tenant_id, calendar_id);

CREATE TABLE channels (
    tenant_id           text NOT NULL,
    channel_id          uuid NOT NULL,
    connection_id       uuid NOT NULL,
    calendar_id         uuid NOT NULL,
    resource_id         text,
    token_hash          bytea NOT NULL,        -- SHA-256 of the token
    state               text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'active', 'superseded', 'stopped')),
    state_reason        text NOT NULL DEFAULT '',
    expires_at          timestamptz,
    renew_at            timestamptz,           -- day 6, jittered
    last_message_number bigint NOT NULL DEFAULT 0,
    verified_at         timestamptz,           -- first delivery seen
    last_message_at     timestamptz,
    claimed_until       timestamptz NOT NULL DEFAULT '-infinity',
    failures            integer NOT NULL DEFAULT 0,
    created_at          timestamptz NOT NULL DEFAULT now(),
    superseded_at       timestamptz,
    stopped_at          timestamptz,
    PRIMARY KEY (tenant_id, channel_id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES user_calendar_connections (tenant_id, connection_id),
    FOREIGN KEY (tenant_id, calendar_id) REFERENCES calendars (tenant_id, calendar_id)
);
CREATE INDEX channels_by_id ON channels (channel_id);
CREATE UNIQUE INDEX one_active_channel ON channels (tenant_id, calendar_id) WHERE state = 'active';
CREATE INDEX channels_of_calendar ON channels (tenant_id, calendar_id) WHERE state <> 'stopped';
CREATE INDEX channels_renew ON channels (renew_at) WHERE state = 'active';
CREATE INDEX channels_to_stop ON channels (claimed_until) WHERE state = 'superseded';
CREATE INDEX channels_stopped ON channels (stopped_at) WHERE state = 'stopped';

CREATE TABLE tasks (
    tenant_id        text NOT NULL,
    task_id          text NOT NULL,
    user_id          text NOT NULL,
    version          bigint NOT NULL,
    snapshot         jsonb NOT NULL,           -- newest task-changed value
    deleted          boolean NOT NULL DEFAULT false,
    received_at      timestamptz NOT NULL DEFAULT now(),
    calendar_id      uuid,                     -- whose lease works on it; NULL: no calendar yet
    dirty_seq        bigint NOT NULL DEFAULT 1,
    synced_seq       bigint NOT NULL DEFAULT 0,
    absorbed_version bigint NOT NULL DEFAULT 0,
    seen             jsonb,                    -- canonical fields of the newest absorbed snapshot
    local            jsonb,                    -- canonical fields as we hold the task: seen plus what was pulled
    told             jsonb NOT NULL DEFAULT '[]', -- what task-updates told the CRM and it may still have to take over
    pulled_seq       bigint NOT NULL DEFAULT 0,-- task-updates sequence of the newest pull
    update_seq       bigint NOT NULL DEFAULT 0,-- newest task-updates sequence
    retry_at         timestamptz,
    failures         integer NOT NULL DEFAULT 0,
    state            text NOT NULL DEFAULT 'pending' CHECK (state IN ('waiting', 'pending', 'synced', 'conflict', 'failed', 'parked', 'removed')),
    reason           text NOT NULL DEFAULT '',
    explanation      text NOT NULL DEFAULT '',
    PRIMARY KEY (tenant_id, task_id),
    FOREIGN KEY (tenant_id, calendar_id) REFERENCES calendars (tenant_id, calendar_id)
);
CREATE INDEX tasks_pending ON tasks (tenant_id, calendar_id) WHERE synced_seq < dirty_seq AND calendar_id IS NOT NULL;
CREATE INDEX tasks_unplaced ON tasks (tenant_id, user_id) WHERE calendar_id IS NULL;

CREATE TABLE task_links (
    tenant_id                 text NOT NULL,
    link_id                   uuid NOT NULL,
    task_id                   text NOT NULL,
    connection_id             uuid NOT NULL,
    calendar_id               uuid NOT NULL,
    google_calendar_id        text NOT NULL,
    google_calendar_event_id  text NOT NULL,
    generation                integer NOT NULL DEFAULT 1,
    state                     text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'live', 'ended')),
    state_reason              text NOT NULL DEFAULT '',
    google_calendar_etag      text NOT NULL DEFAULT '',
    google_calendar_synced_at timestamptz,
    base                      jsonb,           -- what both sides last agreed on, as the task spells it
    google_base               jsonb,           -- the same agreement as Google spells it
    remote                    jsonb,           -- canonical fields of the event as last seen
    html_link                 text NOT NULL DEFAULT '',
    google_meet_link          text NOT NULL DEFAULT '',
    google_meet_id            text NOT NULL DEFAULT '',
    meet_pending              boolean NOT NULL DEFAULT false,
    attendees_data            jsonb NOT NULL DEFAULT '[]',
    has_conflict              boolean NOT NULL DEFAULT false,
    conflict_data             jsonb,
    frozen                    boolean NOT NULL DEFAULT false,  -- edit against delete: the whole link waits for the user
    operation_seq             bigint NOT NULL DEFAULT 0,       -- newest sequence handed out
    recorded_seq              bigint NOT NULL DEFAULT 0,       -- newest sequence whose effect is in base
    created_at                timestamptz NOT NULL DEFAULT now(),
    ended_at                  timestamptz,
    PRIMARY KEY (tenant_id, link_id),
    FOREIGN KEY (tenant_id, task_id) REFERENCES tasks (tenant_id, task_id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES user_calendar_connections (tenant_id, connection_id),
    FOREIGN KEY (tenant_id, calendar_id) REFERENCES calendars (tenant_id, calendar_id),
    UNIQUE (tenant_id, calendar_id, google_calendar_event_id)
);
CREATE UNIQUE INDEX one_open_link_per_task ON task_links (tenant_id, task_id) WHERE state <> 'ended';
CREATE INDEX links_in_conflict ON task_links (tenant_id, connection_id) WHERE has_conflict;

CREATE TABLE operations (
    tenant_id     text NOT NULL,
    operation_id  uuid NOT NULL,
    link_id       uuid NOT NULL,
    calendar_id   uuid NOT NULL,
    sequence      bigint NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('create', 'patch', 'delete', 'pull', 'read_back')),
    state         text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done', 'failed', 'abandoned')),
    pushed        text[] NOT NULL DEFAULT '{}',  -- names of the fields sent
    expected      jsonb,                         -- canonical fields the event holds once this took effect
    before        jsonb,                         -- canonical fields before it
    if_match      text NOT NULL DEFAULT '',
    send_updates  text NOT NULL DEFAULT 'none',
    who           text NOT NULL DEFAULT 'crm',
    why           text NOT NULL DEFAULT '',
    answer_status integer,
    answer_reason text NOT NULL DEFAULT '',
    answer_etag   text NOT NULL DEFAULT '',
    created_at    timestamptz NOT NULL DEFAULT now(),
    finished_at   timestamptz,
    PRIMARY KEY (tenant_id, operation_id),
    UNIQUE (tenant_id, link_id, sequence),
    FOREIGN KEY (tenant_id, link_id) REFERENCES task_links (tenant_id, link_id)
);
CREATE INDEX operations_unanswered ON operations (tenant_id, link_id, sequence) WHERE state = 'pending';
CREATE INDEX operations_age ON operations (created_at);

CREATE TABLE events (
    tenant_id           text NOT NULL,
    calendar_id         uuid NOT NULL,
    google_event_id     text NOT NULL,
    etag                text NOT NULL,
    status              text NOT NULL,
    ical_uid            text NOT NULL DEFAULT '',
    summary             text NOT NULL DEFAULT '',
    location            text NOT NULL DEFAULT '',
    all_day             boolean NOT NULL DEFAULT false,
    start_at            timestamptz,           -- all-day: midnight UTC of the date
    end_at              timestamptz,
    time_zone           text NOT NULL DEFAULT '',
    recurring_event_id  text,
    original_start      text,
    event_type          text NOT NULL DEFAULT 'default',
    transparency        text NOT NULL DEFAULT 'opaque',
    visibility          text NOT NULL DEFAULT 'default',
    organizer_email     text NOT NULL DEFAULT '',
    link_id             uuid,
    updated_at          timestamptz,
    seen_pass           bigint NOT NULL DEFAULT 0,
    raw                 jsonb NOT NULL,
    PRIMARY KEY (tenant_id, calendar_id, google_event_id),
    FOREIGN KEY (tenant_id, calendar_id) REFERENCES calendars (tenant_id, calendar_id)
);
CREATE INDEX events_by_time ON events (tenant_id, calendar_id, start_at) WHERE status <> 'cancelled';
CREATE INDEX events_by_uid ON events (tenant_id, ical_uid);

CREATE TABLE blocked_times (
    tenant_id       text NOT NULL,
    connection_id   uuid NOT NULL,
    calendar_id     uuid NOT NULL,
    google_event_id text NOT NULL,
    starts_at       timestamptz NOT NULL,
    ends_at         timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, calendar_id, google_event_id, starts_at),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES user_calendar_connections (tenant_id, connection_id),
    FOREIGN KEY (tenant_id, calendar_id) REFERENCES calendars (tenant_id, calendar_id)
);

CREATE TABLE outbox (
    tenant_id     text NOT NULL,
    outbox_id     bigint GENERATED ALWAYS AS IDENTITY,
    message_id    uuid NOT NULL,
    topic         text NOT NULL,
    message_key   text NOT NULL,
    headers       jsonb NOT NULL DEFAULT '[]',  -- [[name, value], …]
    value         bytea NOT NULL,
    status        text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'sent')),
    claimed_until timestamptz NOT NULL DEFAULT now() + interval '15 seconds',  -- its writer publishes first
    created_at    timestamptz NOT NULL DEFAULT now(),
    sent_at       timestamptz,
    PRIMARY KEY (tenant_id, outbox_id)
);
CREATE INDEX outbox_pending ON outbox (claimed_until) WHERE status = 'pending';
CREATE INDEX outbox_sent ON outbox (sent_at) WHERE status = 'sent';

CREATE TABLE inbox (
    tenant_id  text NOT NULL,
    source     text NOT NULL,
    message_id text NOT NULL,
    seen_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, source, message_id)
);
CREATE INDEX inbox_age ON inbox (seen_at);

CREATE TABLE quarantine (
    tenant_id     text NOT NULL,               -- '' when the message did not say
    quarantine_id uuid NOT NULL,
    source        text NOT NULL,               -- topic name, or 'google-event'
    partition     integer,
    "offset"      bigint,
    subject       text NOT NULL DEFAULT '',    -- record key, or calendar and event id
    reason        text NOT NULL,
    detail        text NOT NULL,
    hash          bytea NOT NULL,              -- SHA-256 of value
    value         bytea NOT NULL,
    headers       jsonb NOT NULL DEFAULT '[]',
    state         text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'retried', 'dropped', 'resolved')),
    seen_count    integer NOT NULL DEFAULT 1,
    created_at    timestamptz NOT NULL DEFAULT now(),
    last_seen_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, quarantine_id),
    UNIQUE NULLS NOT DISTINCT (tenant_id, source, partition, "offset", subject, hash)
);

CREATE TABLE alerts (
    tenant_id   text NOT NULL,
    alert_id    uuid NOT NULL,
    kind        text NOT NULL,
    subject     text NOT NULL,
    explanation text NOT NULL,
    raised_at   timestamptz NOT NULL DEFAULT now(),
    resolved_at timestamptz,
    PRIMARY KEY (tenant_id, alert_id)
);
CREATE UNIQUE INDEX one_open_alert ON alerts (tenant_id, kind, subject) WHERE resolved_at IS NULL;

CREATE TABLE audit_log (
    tenant_id text NOT NULL,
    audit_id  uuid NOT NULL,
    at        timestamptz NOT NULL DEFAULT now(),
    who       text NOT NULL,
    what      text NOT NULL,
    subject   text NOT NULL DEFAULT '',
    detail    jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (tenant_id, audit_id)
);

-- Row-level security, forced on every tenant table. calbridge_definer owns only the functions of the next migration.
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['google_integrations', 'user_calendar_connections', 'consent_attempts', 'calendars', 'channels', 'tasks', 'task_links',
                             'operations', 'events', 'blocked_times', 'outbox', 'inbox', 'quarantine', 'alerts', 'audit_log'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY own_tenant ON %I USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant())', t);
        EXECUTE format('CREATE POLICY crossing ON %I TO calbridge_definer USING (true) WITH CHECK (true)', t);
    END LOOP;
END $$;
