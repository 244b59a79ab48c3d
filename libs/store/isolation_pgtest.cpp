#include "store/store_fixture.h"

#include <array>
#include <sstream>

namespace calbridge::store {
namespace {

constexpr std::array roles{"gateway", "ingest", "worker", "renewer"};

class Isolation : public store_fixture {
public:
    Isolation() {
        for (auto const* tenant : {"a", "b"}) fill(tenant);
    }

    // A row of each tenant in every table.
    void fill(std::string const& t) {
        calendar_id const calendar = add_calendar(t, "user-" + t);
        std::string const c = "'" + calendar.str() + "'";
        std::string const n = "'" + connection_of(calendar).str() + "'";
        std::string const link = "'" + random_uuid_text() + "'";
        sql("insert into google_integrations (tenant_id, integration_id, name, client_id, client_secret, redirect_uri) values ('" + t +
            "', gen_random_uuid(), 'n', 'c', 's', 'r')");
        sql("insert into consent_attempts (tenant_id, state_hash, session_hash, user_id, mode, scopes, nonce, code_verifier, expires_at) "
            "values ('" +
            t + "', 's', 's', 'u', 'two_way', '{}', 'n', 'v', now())");
        sql("insert into channels (tenant_id, channel_id, connection_id, calendar_id, token_hash) values ('" + t +
            "', gen_random_uuid(), " + n + ", " + c + ", 'h')");
        sql("insert into tasks (tenant_id, task_id, user_id, version, snapshot, calendar_id) values ('" + t + "', 'task', 'u', 1, '{}', " +
            c + ")");
        sql("insert into task_links (tenant_id, link_id, task_id, connection_id, calendar_id, google_calendar_id, "
            "google_calendar_event_id) values ('" +
            t + "', " + link + ", 'task', " + n + ", " + c + ", 'g', 'e')");
        sql("insert into operations (tenant_id, operation_id, link_id, calendar_id, sequence, kind) values ('" + t +
            "', gen_random_uuid(), " + link + ", " + c + ", 1, 'create')");
        sql("insert into events (tenant_id, calendar_id, google_event_id, etag, status, raw) values ('" + t + "', " + c +
            ", 'e', 't', 'confirmed', '{}')");
        sql("insert into blocked_times (tenant_id, connection_id, calendar_id, google_event_id, starts_at, ends_at) values ('" + t + "', " +
            n + ", " + c + ", 'e', now(), now())");
        sql("insert into outbox (tenant_id, message_id, topic, message_key, value) values ('" + t + "', gen_random_uuid(), 't', 'k', 'v')");
        sql("insert into inbox (tenant_id, source, message_id) values ('" + t + "', 's', 'm')");
        sql("insert into quarantine (tenant_id, quarantine_id, source, reason, detail, hash, value) values ('" + t +
            "', gen_random_uuid(), 's', 'r', 'd', 'h', 'v')");
        sql("insert into alerts (tenant_id, alert_id, kind, subject, explanation) values ('" + t + "', gen_random_uuid(), 'k', 's', 'e')");
        sql("insert into meetings (tenant_id, ical_uid, task_id) values ('" + t + "', 'uid', 'task')");
        sql("insert into tenant_settings (tenant_id) values ('" + t + "')");
        sql("insert into zoom_accounts (tenant_id, account_id, client_id, client_secret) values ('" + t + "', 'a', 'c', 's')");
        sql("insert into zoom_meetings (tenant_id, task_id) values ('" + t + "', 'task')");
        sql("insert into requests (tenant_id, request_id, user_id, connection_id, calendar_id, kind, who) values ('" + t +
            "', gen_random_uuid(), 'user-" + t + "', " + n + ", " + c + ", 'retry', 'user-" + t + "')");
        sql("insert into audit_log (tenant_id, audit_id, who, what) values ('" + t + "', gen_random_uuid(), 'w', 'w')");
    }
    static std::string random_uuid_text() { return to_string(random_uuid()); }

    std::vector<std::string> lines(std::string const& query) const {
        std::istringstream all(sql("select coalesce(string_agg(line, chr(10) order by line), '') from (" + query + ") x (line)"));
        std::vector<std::string> found;
        for (std::string line; std::getline(all, line);) found.push_back(line);
        return found;
    }
    std::vector<std::string> tenant_tables() const {
        return lines(
            "select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid where c.relkind = 'r' and c.relnamespace = "
            "'public'::regnamespace "
            "and a.attname = 'tenant_id' and not a.attisdropped");
    }
    // What a role of tenant b gets for `statement`: its answer, or "denied".
    std::string as_b(std::string const& role, std::string const& statement) const {
        try {
            return sql("begin; set local role calbridge_" + role + "; set local app.tenant = 'b'; " + statement);
        } catch (std::runtime_error const& e) {
            std::string const what = e.what();
            if (what.find("permission denied") != std::string::npos || what.find("row-level security") != std::string::npos)
                return "denied";
            return what;
        }
    }
};

TEST_F(Isolation, EveryTableWithTenantsForcesRowLevelSecurity) {
    auto const tables = tenant_tables();

    EXPECT_EQ(tables.size(), 20U);
    for (std::string const& table : tables) {
        EXPECT_EQ(sql("select relrowsecurity and relforcerowsecurity from pg_class where oid = '" + table + "'::regclass"), "t") << table;
        EXPECT_EQ(sql("select string_agg(policyname, ',' order by policyname) from pg_policies where tablename = '" + table + "'"),
                  "crossing,own_tenant")
            << table;
    }
}

TEST_F(Isolation, NoTableIsWithoutTenantExceptTheListOfMigrations) {
    auto const others = lines(
        "select c.relname from pg_class c where c.relkind in ('r', 'v', 'm', 'p') and c.relnamespace = 'public'::regnamespace and not "
        "exists "
        "(select 1 from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id')");

    EXPECT_EQ(others, std::vector<std::string>{"schema_migrations"});
}

TEST_F(Isolation, PrimaryUniqueAndForeignKeysLeadWithTheTenant) {
    auto const keys = lines(
        "select c.conrelid::regclass || '.' || c.conname from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and a.attnum "
        "= c.conkey[1] "
        "where c.contype in ('p', 'u', 'f') and c.connamespace = 'public'::regnamespace and a.attname <> 'tenant_id'");
    auto const referred = lines(
        "select c.conrelid::regclass || '.' || c.conname from pg_constraint c join pg_attribute a on a.attrelid = c.confrelid and a.attnum "
        "= c.confkey[1] "
        "where c.contype = 'f' and c.connamespace = 'public'::regnamespace and a.attname <> 'tenant_id'");
    auto const indexes = lines(
        "select i.indexrelid::regclass::text from pg_index i join pg_class t on t.oid = i.indrelid join pg_attribute a on a.attrelid = "
        "i.indrelid and a.attnum = i.indkey[0] "
        "where i.indisunique and t.relnamespace = 'public'::regnamespace and a.attname <> 'tenant_id'");

    EXPECT_EQ(keys, std::vector<std::string>{"schema_migrations.schema_migrations_pkey"});
    EXPECT_TRUE(referred.empty());
    EXPECT_EQ(indexes, std::vector<std::string>{"schema_migrations_pkey"});
}

TEST_F(Isolation, NoRoleSeesAnotherTenantsRows) {
    for (std::string const& table : tenant_tables()) {
        ASSERT_EQ(sql("select count(*) > 0 from " + table + " where tenant_id = 'a'"), "t") << table << " has no row to hide";
        for (std::string const role : roles) {
            // count() of a listed column: some roles may read some columns only.
            std::string const seen = as_b(role, "select count(tenant_id) from " + table + " where tenant_id <> 'b'");
            EXPECT_TRUE(seen == "0" || seen == "denied") << role << " reads " << table << ": " << seen;
        }
    }
}

TEST_F(Isolation, NoRoleChangesAnotherTenantsRows) {
    for (std::string const& table : tenant_tables()) {
        std::string const before = sql("select md5(string_agg(t::text, ',' order by t::text)) from " + table + " t where tenant_id = 'a'");
        for (std::string const role : roles) {
            std::vector<std::string> const statements{
                "with x as (update " + table + " set tenant_id = tenant_id where tenant_id <> 'b' returning 1) select count(*) from x",
                "with x as (delete from " + table + " where tenant_id <> 'b' returning 1) select count(*) from x"};
            for (std::string const& statement : statements) {
                std::string const changed = as_b(role, statement);
                EXPECT_TRUE(changed == "0" || changed == "denied") << role << ": " << statement << ": " << changed;
            }
            std::string const moved = as_b(role, "update " + table + " set tenant_id = 'a' where tenant_id = 'b'");
            EXPECT_EQ(moved, "denied") << role << " moves rows of " << table;
        }
        EXPECT_EQ(sql("select md5(string_agg(t::text, ',' order by t::text)) from " + table + " t where tenant_id = 'a'"), before) << table;
    }
}

TEST_F(Isolation, NoRoleAddsRowsForAnotherTenant) {
    for (std::string const& table : tenant_tables()) {
        for (std::string const role : roles) {
            EXPECT_EQ(as_b(role, "insert into " + table + " (tenant_id) values ('a')"), "denied") << role << " adds to " << table;
        }
    }
}

TEST_F(Isolation, WithoutATenantNothingIsVisible) {
    for (std::string const& table : tenant_tables()) {
        for (std::string const role : roles) {
            for (std::string const setting : {"", "set local app.tenant = ''; "}) {
                std::string seen;
                try {
                    seen = sql("begin; set local role calbridge_" + role + "; " + setting + "select count(tenant_id) from " + table);
                } catch (std::runtime_error const&) {
                    seen = "0";
                }
                EXPECT_EQ(seen, "0") << role << " " << table;
            }
        }
    }
}

TEST_F(Isolation, IngestMayAskForAChannelAndNothingElse) {
    std::string const channel = sql("select channel_id from channels where tenant_id = 'a'");

    EXPECT_EQ(as_b("ingest", "select tenant_id from ingest_channel('" + channel + "')"), "a");
    for (std::string const& table : tenant_tables()) EXPECT_EQ(as_b("ingest", "select 1 from " + table), "denied") << table;
    EXPECT_EQ(sql("select count(*) from pg_proc p where p.pronamespace = 'public'::regnamespace and "
                  "has_function_privilege('calbridge_ingest', p.oid, 'execute') "
                  "and p.proname not in ('ingest_channel', 'current_tenant')"),
              "0");
}

TEST_F(Isolation, CrossingsAreOwnedByTheDefinerWithAFixedSearchPathAndNotPublic) {
    auto const loose = lines(
        "select p.proname from pg_proc p where p.pronamespace = 'public'::regnamespace and p.proname <> 'current_tenant' and "
        "(p.proowner <> 'calbridge_definer'::regrole or not coalesce(p.proconfig::text like '%search_path=public, pg_temp%', false) "
        " or coalesce(p.proacl::text, '') ~ '(^|[{,])=')");

    EXPECT_TRUE(loose.empty()) << loose.front();
    EXPECT_EQ(sql("select rolcanlogin or rolsuper or rolbypassrls from pg_roles where rolname = 'calbridge_definer'"), "f");
    EXPECT_EQ(sql("select has_schema_privilege('calbridge_definer', 'public', 'create')"), "f");
    EXPECT_EQ(sql("select count(*) from pg_roles where rolname like 'calbridge\\_%' and (rolsuper or rolbypassrls or rolcreaterole or "
                  "rolcreatedb)"),
              "0");
}

TEST_F(Isolation, GrantsAreThoseOfTheSnapshot) {
    auto const granted = lines(
        "select replace(g.rolname, 'calbridge_', '') || ' table ' || c.relname || ': ' || string_agg(lower(x.privilege_type), ', ' order "
        "by x.privilege_type) "
        "from pg_class c cross join lateral aclexplode(c.relacl) x join pg_roles g on g.oid = x.grantee "
        "where c.relnamespace = 'public'::regnamespace and g.rolname like 'calbridge\\_%' group by g.rolname, c.relname "
        "union all select replace(g.rolname, 'calbridge_', '') || ' columns ' || c.relname || ': ' || lower(x.privilege_type) || ' (' || "
        "string_agg(a.attname, ', ' order by a.attname) || ')' "
        "from pg_attribute a join pg_class c on c.oid = a.attrelid cross join lateral aclexplode(a.attacl) x join pg_roles g on g.oid = "
        "x.grantee "
        "where c.relnamespace = 'public'::regnamespace group by g.rolname, c.relname, x.privilege_type "
        "union all select coalesce(replace(g.rolname, 'calbridge_', ''), 'everybody') || ' function ' || p.oid::regprocedure from pg_proc "
        "p cross join lateral aclexplode(p.proacl) x "
        "left join pg_roles g on g.oid = x.grantee where p.pronamespace = 'public'::regnamespace and (x.grantee = 0 or g.rolname like "
        "'calbridge\\_%')");
    std::string text;
    for (std::string const& line : granted) text += line + "\n";

    EXPECT_EQ(testing::golden_difference("grants.txt", text), "");
}

}  // namespace
}  // namespace calbridge::store
