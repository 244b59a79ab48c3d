#include "clients/google/google.h"
#include "common/base/encoding.h"
#include "common/base/ids.h"
#include "common/crypto/crypto.h"
#include "domain/footer.h"
#include "tests/emulator/fixture.h"

namespace calbridge::google {
namespace {

using namespace std::chrono_literals;
using domain::field;
using std::chrono::sys_days;
using std::chrono::year;

// Hands a request to the emulated Google without a socket.
class world_client final : public http::client {
public:
    explicit world_client(emulator::world& w) : w_(w) {}
    task<result<http::response>> send(http::client_request request, deadline) override {
        std::string const rest = request.url.substr(request.url.find('/', request.url.find("://") + 3));
        emulator::request r;
        r.method = request.method;
        r.path = rest.substr(0, rest.find('?'));
        if (auto const mark = rest.find('?'); mark != std::string::npos) r.query = rest.substr(mark + 1);
        for (auto& one : request.fields) {
            if (one.first != "Accept-Encoding") r.fields.push_back(std::move(one));
        }
        r.body = std::move(request.body);
        auto got = w_.handle(r);
        co_return http::response{.status = got.status, .fields = std::move(got.fields), .body = std::move(got.body)};
    }

private:
    emulator::world& w_;
};

class GoogleClient : public emulator::emulator_test {
protected:
    ~GoogleClient() override { EXPECT_TRUE(w.violations().empty()) << violation_text(); }

    template <class T>
    T wait(task<T> work) {
        std::optional<T> out;
        asio::io_context ioc;
        calbridge::testing::run_coro(ioc, keep(std::move(work), out));
        return std::move(*out);
    }
    secret token(std::string const& email = "anna@example.com") { return secret(token_of(email)); }
    static event_write everything(std::string title) {
        event_write out{.stamp = "1.k.link.mac", .operation = "op-1", .meet_request_id = "meet-1", .send_updates = "all"};
        for (auto const f : domain::all_fields) out.pushed.add(f);
        out.values = {
            .title = std::move(title),
            .description = "Text\nmore",
            .footer = "Type: call",
            .location = "Room",
            .time = {.start = sys_days{year{2026} / 11 / 25} + 9h, .end = sys_days{year{2026} / 11 / 25} + 10h, .zone = "Europe/Zurich"},
            .color_id = "7",
            .reminders = {.use_default = false, .overrides = {{"email", 60}, {"popup", 10}}},
            .guests = {{.email = "bob@example.com"}, {.email = "carl@x.example", .name = "Carl", .optional = true}},
            .meet = true};
        return out;
    }
    static std::string seen(domain::calendar_event const& e) {
        std::string out;
        for (auto const& a : e.attendees) out += (out.empty() ? "" : ",") + a.raw;
        return "[" + out + "]";
    }
    answer<domain::calendar_event> patch(domain::calendar_event const& now, event_write what) {
        return wait(api_->patch(token(), "anna@example.com", now.id, now.etag, std::move(what), at_));
    }

    world_client http_{w};
    std::unique_ptr<calendar_api> api_{make_calendar_api(http_, endpoints_at("http://127.0.0.1:8085"), clock)};
    std::unique_ptr<oauth_api> oauth_{make_oauth_api(http_, endpoints_at("http://127.0.0.1:8085"), clock)};
    deadline at_{in(30s)};

private:
    template <class T>
    static task<void> keep(task<T> work, std::optional<T>& out) {
        out.emplace(co_await std::move(work));
    }
};

TEST_F(GoogleClient, AnInsertWithEveryFieldReadsBackAsItWasSaid) {
    auto const sent = everything("Visit");

    auto const got = wait(api_->insert(token(), "anna@example.com", "0123456789abcdefghijklmnopqrstuv", sent, at_));

    ASSERT_TRUE(got) << got.error().context;
    EXPECT_EQ(got->id, "0123456789abcdefghijklmnopqrstuv");
    EXPECT_EQ(got->summary, "Visit");
    EXPECT_EQ(got->description, domain::join_description("Text\nmore", "Type: call"));
    EXPECT_EQ(*got->time, sent.values.time);
    EXPECT_EQ(got->time->zone, "Europe/Zurich");
    EXPECT_EQ(got->color_id, "7");
    EXPECT_EQ(got->reminders, sent.values.reminders);
    EXPECT_EQ(got->attendees.size(), 2u);
    EXPECT_FALSE(got->hangout_link.empty());
    EXPECT_EQ(got->stamp + got->operation, "1.k.link.macop-1");
    EXPECT_TRUE(got->organizer_self);
    EXPECT_FALSE(got->html_link.empty());
    auto const again = wait(api_->insert(token(), "anna@example.com", got->id, sent, at_));
    EXPECT_EQ(again.error().code, errc::exists);
}

TEST_F(GoogleClient, EveryFieldCanBePatchedAlone) {
    auto event = wait(api_->insert(token(), "anna@example.com", "aaaaaaaaaa", everything("Visit"), at_)).value();
    for (auto const f : domain::all_fields) {
        auto what = everything("Other");
        what.pushed = {};
        what.pushed.add(f);
        what.meet_request_id = "meet-2";
        what.attendees_data = seen(event);

        auto const got = patch(event, what);

        ASSERT_TRUE(got) << domain::name(f) << ": " << got.error().context;
        event = *got;
    }
    EXPECT_EQ(event.summary, "Other");
}

TEST_F(GoogleClient, APatchSwitchesBetweenTimedAndAllDayAndClearsWhatIsEmpty) {
    auto event = wait(api_->insert(token(), "anna@example.com", "aaaaaaaaaa", everything("Visit"), at_)).value();
    event_write what{.stamp = "s", .operation = "o"};
    what.pushed.add(field::time)
        .add(field::color)
        .add(field::reminders)
        .add(field::location)
        .add(field::description)
        .add(field::meet)
        .add(field::guests);
    what.values.time = {.all_day = true, .first_day = sys_days{year{2026} / 11 / 25}, .end_day = sys_days{year{2026} / 11 / 27}};
    what.attendees_data = seen(event);

    auto const cleared = patch(event, what);

    ASSERT_TRUE(cleared) << cleared.error().context;
    EXPECT_EQ(*cleared->time, what.values.time);
    EXPECT_EQ(cleared->color_id + cleared->location + cleared->description + cleared->hangout_link, "");
    EXPECT_TRUE(cleared->reminders.use_default);
    EXPECT_TRUE(cleared->attendees.empty());
    what.values.time = everything("x").values.time;
    auto const timed = patch(*cleared, what);
    ASSERT_TRUE(timed) << timed.error().context;
    EXPECT_EQ(*timed->time, what.values.time);
}

TEST_F(GoogleClient, AGuestsAnswerSurvivesOurPatchOfTheGuestList) {
    auto event = wait(api_->insert(token(), "anna@example.com", "aaaaaaaaaa", everything("Visit"), at_)).value();
    auto const rsvp = bob("PATCH", "calendars/primary/events/aaaaaaaaaa",
                          R"({"attendees":[{"email":"bob@example.com","responseStatus":"accepted"}],"attendeesOmitted":true})");
    ASSERT_EQ(rsvp.status, 200);
    event = wait(api_->get(token(), "anna@example.com", "aaaaaaaaaa", at_)).value();
    event_write what{.attendees_data = seen(event), .stamp = "s", .operation = "o"};
    what.pushed.add(field::guests);
    what.values.guests = {{.email = "bob@example.com"}, {.email = "dora@x.example"}};

    auto const got = patch(event, what);

    ASSERT_TRUE(got) << got.error().context;
    ASSERT_EQ(got->attendees.size(), 2u);
    EXPECT_EQ(got->attendees[0].response, "accepted");
    EXPECT_EQ(got->attendees[1].email, "dora@x.example");
}

TEST_F(GoogleClient, ListingPagesAndGoesOnFromItsToken) {
    for (int i = 0; i < 5; ++i)
        ASSERT_TRUE(wait(api_->insert(token(), "anna@example.com", "bbbbb" + std::to_string(i), everything("E"), at_)));
    list_query query{.calendar = "anna@example.com", .results_max = 2};
    std::size_t items = 0;
    for (;;) {
        auto const page = wait(api_->list(token(), query, at_));
        ASSERT_TRUE(page) << page.error().context;
        EXPECT_TRUE(page->odd.empty());
        EXPECT_EQ(page->time_zone, "Europe/Zurich");
        items += page->items.size();
        query.page_token = page->next_page_token;
        if (page->next_sync_token) query.sync_token = page->next_sync_token;
        if (!page->next_page_token) break;
    }
    EXPECT_EQ(items, 5u);
    auto const event = wait(api_->get(token(), "anna@example.com", "bbbbb3", at_)).value();
    ASSERT_TRUE(wait(api_->remove(token(), "anna@example.com", event.id, event.etag, "none", at_)));

    auto const changed = wait(api_->list(token(), query, at_));

    ASSERT_TRUE(changed);
    ASSERT_EQ(changed->items.size(), 1u);
    EXPECT_TRUE(changed->items[0].is_cancelled());
}

TEST_F(GoogleClient, StaleVersionsDeletedEventsAndUnknownCalendarsAreToldApart) {
    auto const event = wait(api_->insert(token(), "anna@example.com", "aaaaaaaaaa", everything("Visit"), at_)).value();
    event_write what{.stamp = "s", .operation = "o"};

    EXPECT_EQ(wait(api_->patch(token(), "anna@example.com", event.id, "\"stale\"", what, at_)).error().code, errc::conflict);
    EXPECT_EQ(wait(api_->remove(token(), "anna@example.com", event.id, "\"stale\"", "none", at_)).error().code, errc::conflict);
    EXPECT_TRUE(wait(api_->remove(token(), "anna@example.com", event.id, event.etag, "all", at_)));
    EXPECT_TRUE(wait(api_->remove(token(), "anna@example.com", event.id, event.etag, "all", at_)));
    EXPECT_TRUE(wait(api_->get(token(), "anna@example.com", event.id, at_))->is_cancelled());
    EXPECT_EQ(wait(api_->insert(token(), "anna@example.com", event.id, everything("Visit"), at_)).error().code, errc::exists);
    auto const no_event = wait(api_->get(token(), "anna@example.com", "ccccccccc", at_)).error();
    EXPECT_EQ(no_event.code, errc::not_found);
    EXPECT_FALSE(no_event.calendar_gone);
    EXPECT_TRUE(wait(api_->get(token(), "nobody@example.com", "ccccccccc", at_)).error().calendar_gone);
    EXPECT_TRUE(wait(api_->list(token(), list_query{.calendar = "nobody@example.com"}, at_)).error().calendar_gone);
    EXPECT_EQ(wait(api_->get(secret("wrong"), "anna@example.com", "ccccccccc", at_)).error().code, errc::unauthorized);
}

TEST_F(GoogleClient, AWrongSyncTokenIsADeadCursor) {
    auto const got = wait(api_->list(token(), list_query{.calendar = "anna@example.com", .sync_token = "bogus="}, at_));

    ASSERT_FALSE(got);
    EXPECT_TRUE(got.error().cursor_dead);
}

TEST_F(GoogleClient, CalendarsAreListedAndAChannelOpensAndStops) {
    auto const calendars = wait(api_->calendar_list(token(), {}, at_));
    ASSERT_TRUE(calendars) << calendars.error().context;
    EXPECT_TRUE(
        std::ranges::any_of(calendars->entries, [](auto const& c) { return c.primary && c.id == "anna@example.com" && c.access_role == "owner"; }));
    EXPECT_TRUE(calendars->sync_token);

    watch_request const wanted{.calendar = "anna@example.com",
                               .channel_id = to_string(random_uuid()),
                               .address = "https://hooks.example/google",
                               .token = secret("tok")};
    auto const channel = wait(api_->watch(token(), wanted, at_));

    ASSERT_TRUE(channel) << channel.error().context;
    EXPECT_EQ(channel->expires_at, w.now() + 7 * 24h);
    EXPECT_EQ(wait(api_->watch(token(), wanted, at_)).error().code, errc::exists);
    EXPECT_TRUE(wait(api_->stop(token(), wanted.channel_id, channel->resource_id, at_)));
    EXPECT_TRUE(wait(api_->stop(token(), wanted.channel_id, channel->resource_id, at_)));
}

TEST_F(GoogleClient, AConsentIsExchangedVerifiedRefreshedAndRevoked) {
    oauth_client const client{.client_id = "client", .client_secret = secret("secret"), .redirect_uri = "http://127.0.0.1/cb"};
    oauth_client const wrong{.client_id = "client", .client_secret = secret("wrong"), .redirect_uri = "http://127.0.0.1/cb"};
    secret const verifier("a-verifier-that-is-long-enough-for-the-specification-0123456789");
    authorization const ask_for{.client_id = "client",
                                .redirect_uri = "http://127.0.0.1/cb",
                                .state = "s+t/a=te",
                                .nonce = "nonce-1",
                                .code_challenge = base64url(crypto::sha256(verifier.reveal())),
                                .login_hint = "anna@example.com",
                                .scopes = scopes_for(domain::sync_mode::two_way)};
    std::string const url = authorization_url(endpoints_at(""), ask_for);
    auto const consented = control("consent", R"({"email":"anna@example.com","url":")" + url + R"("})");
    ASSERT_EQ(consented.status, 200) << consented.whole.body;
    std::string const location = consented.text("location");
    auto const back = http::decode_form(location.substr(location.find('?') + 1));
    ASSERT_EQ(http::find(*back, "state"), "s+t/a=te");
    secret const code(std::string(*http::find(*back, "code")));

    auto const granted = wait(oauth_->exchange(client, code, verifier, at_));

    ASSERT_TRUE(granted) << granted.error().context;
    ASSERT_TRUE(granted->refresh_token);
    EXPECT_TRUE(missing_scopes(granted->scopes, ask_for.scopes).empty());
    EXPECT_EQ(wait(oauth_->exchange(client, code, verifier, at_)).error().code, errc::grant_revoked);
    auto const who = wait(oauth_->verify_id_token(granted->id_token, "client", "nonce-1", at_));
    ASSERT_TRUE(who) << who.error().context;
    EXPECT_EQ(who->email, "anna@example.com");
    EXPECT_FALSE(wait(oauth_->verify_id_token(granted->id_token, "client", "nonce-2", at_)));
    EXPECT_FALSE(wait(oauth_->verify_id_token(granted->id_token, "other", "nonce-1", at_)));

    // Using a code twice may have cost the grant; what follows is another consent.
    auto const again = control("consent", R"({"email":"anna@example.com","url":")" + url + R"("})").text("location");
    auto const second = http::decode_form(again.substr(again.find('?') + 1));
    auto const live = wait(oauth_->exchange(client, secret(std::string(*http::find(*second, "code"))), verifier, at_));
    ASSERT_TRUE(live) << live.error().context;
    auto const fresh = wait(oauth_->refresh(client, *live->refresh_token, at_));
    ASSERT_TRUE(fresh) << fresh.error().context;
    EXPECT_FALSE(fresh->refresh_token);
    EXPECT_TRUE(wait(api_->calendar_list(fresh->access_token, {}, at_)));
    EXPECT_EQ(wait(oauth_->refresh(wrong, *live->refresh_token, at_)).error().code, errc::client_rejected);
    EXPECT_TRUE(wait(oauth_->revoke(*live->refresh_token, at_)));
    EXPECT_TRUE(wait(oauth_->revoke(*live->refresh_token, at_)));
    EXPECT_EQ(wait(oauth_->refresh(client, *live->refresh_token, at_)).error().code, errc::grant_revoked);
    EXPECT_EQ(wait(api_->calendar_list(fresh->access_token, {}, at_)).error().code, errc::unauthorized);
}

}  // namespace
}  // namespace calbridge::google
