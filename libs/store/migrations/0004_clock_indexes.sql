-- The clock asks for unused grants and unread calendar lists every second: both answers come from an index.

CREATE INDEX connections_unused ON user_calendar_connections (token_expires_at) WHERE status = 'active';
CREATE INDEX connections_unread ON user_calendar_connections (calendars_read_at NULLS FIRST) WHERE status = 'active';
