"""Each check is shown a tree it must refuse and one it must accept: a check that cannot fail proves nothing."""

import os
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tools"))

import check_layers  # noqa: E402
import check_style  # noqa: E402
import cpp_text  # noqa: E402


class Tree(unittest.TestCase):
    def written(self, files):
        """A folder that holds `files`, for the length of the test."""
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        for path, content in files.items():
            target = os.path.join(folder.name, path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "w", encoding="utf-8") as file:
                file.write(content)
        return folder.name


class Layers(Tree):
    def findings(self, files):
        return check_layers.check(self.written(files))

    def refused(self, files, sentence):
        found = self.findings(files)
        self.assertTrue(any(sentence in finding for finding in found), found)

    def test_arrows_down_are_accepted(self):
        self.assertEqual([], self.findings({
            "libs/common/base/result.h": "#pragma once\n",
            "libs/common/async/task.h": '#include "common/base/result.h"\n#include <vector>\n',
            "libs/store/links.cpp": '#include "common/async/task.h"\n#include "domain/plan.h"\n',
            "libs/domain/plan.h": '#include "common/base/result.h"\n',
            "services/sync-worker/app.cpp": '#include "app.h"\n#include "domain/plan.h"\n',
            "services/sync-worker/app.h": "#pragma once\n",
        }))

    def test_an_arrow_up_is_refused(self):
        self.refused({"libs/common/base/a.h": '#include "common/async/task.h"\n', "libs/common/async/task.h": ""}, "common/base may not include common/async")
        self.refused({"libs/domain/a.cpp": '#include "store/links.h"\n', "libs/store/links.h": ""}, "domain may not include store")
        self.refused({"libs/common/http/a.h": '#include "common/pg/b.h"\n', "libs/common/pg/b.h": ""}, "common/http may not include common/pg")
        self.refused({"libs/store/a.h": '#include "clients/google/b.h"\n', "libs/clients/google/b.h": ""}, "store may not include clients")

    def test_a_comment_is_no_include(self):
        self.assertEqual([], self.findings({"libs/domain/a.cpp": '// #include "store/links.h"\n/*\n#include "store/links.h"\n*/\n', "libs/store/links.h": ""}))

    def test_production_never_includes_testing(self):
        self.refused({"libs/store/a.cpp": '#include "common/testing/testing.h"\n', "libs/common/testing/testing.h": ""}, "production code includes common/testing")
        self.refused({"services/x/a.cpp": '#include "../../tests/emulator/b.h"\n', "tests/emulator/b.h": ""}, "production code includes tests/emulator/b.h")
        self.assertEqual([], self.findings({"libs/store/a_pgtest.cpp": '#include "common/testing/testing.h"\n', "libs/common/testing/testing.h": ""}))

    def test_a_service_never_includes_another(self):
        self.refused({"services/a/app.cpp": '#include "../b/app.h"\n', "services/b/app.h": ""}, "includes another service's services/b/app.h")

    def test_including_upwards_is_refused(self):
        self.refused({"libs/store/a.cpp": '#include "../domain/plan.h"\n', "libs/domain/plan.h": ""}, "includes upwards")

    def test_guarded_libraries_stay_at_home(self):
        for include, home, elsewhere in (("<boost/beast/core.hpp>", "libs/common/http", "libs/clients/google"), ("<libpq-fe.h>", "libs/common/pg", "libs/store"),
                                         ("<librdkafka/rdkafka.h>", "libs/common/kafka", "services/sync-worker"), ("<simdjson.h>", "libs/common/json", "libs/wire"),
                                         ('"calbridge/v1/task.pb.h"', "libs/wire", "libs/store")):
            text = "#include " + include + "\n"
            self.assertEqual([], self.findings({home + "/a.cpp": text}), include)
            self.refused({elsewhere + "/a.cpp": text}, "belongs to")

    def test_guarded_libraries_do_not_leak_through_headers(self):
        inside = {"libs/common/http/inner.h": "#include <boost/beast/core.hpp>\n", "libs/common/http/a.cpp": '#include "common/http/inner.h"\n'}
        self.assertEqual([], self.findings(inside))
        self.refused({**inside, "libs/clients/google/a.cpp": '#include "common/http/inner.h"\n'}, "brings in boost/beast/core.hpp")
        self.refused({**inside, "libs/common/http/outer.h": '#include "common/http/inner.h"\n', "services/x/a.cpp": '#include "common/http/outer.h"\n'},
                     "services/x/a.cpp:1: common/http/outer.h brings in boost/beast/core.hpp")

    def test_a_folder_without_a_row_is_reported(self):
        self.refused({"libs/surprise/a.h": '#include "common/base/b.h"\n', "libs/common/base/b.h": ""}, "folder surprise has no row")

    def test_the_exit_code_tells(self):
        argv = sys.argv
        self.addCleanup(setattr, sys, "argv", argv)
        sys.argv = ["check_layers.py", self.written({"libs/domain/a.cpp": '#include "store/b.h"\n', "libs/store/b.h": ""})]
        self.assertEqual(1, check_layers.main())
        sys.argv = ["check_layers.py", self.written({"libs/domain/a.cpp": ""})]
        self.assertEqual(0, check_layers.main())


class Style(Tree):
    def findings(self, text, path="libs/domain/a.cpp"):
        return check_style.check(self.written({path: text}))[0]

    def refused(self, text, sentence, path="libs/domain/a.cpp"):
        found = self.findings(text, path)
        self.assertTrue(any(sentence in finding for finding in found), (text, found))

    def accepted(self, text, path="libs/domain/a.cpp"):
        self.assertEqual([], self.findings(text, path), text)

    def test_detached(self):
        self.refused("co_spawn(ex, f(), asio::detached);\n", "detached")
        self.refused("co_spawn(ex, f(), detached);\n", "detached")
        self.accepted('bool detached = false;\nlog("asio::detached");  // never asio::detached\n')

    def test_io_context_stop(self):
        for text in ("ioc.stop();", "ioc_.stop();", "io_context->stop();", "&asio::io_context::stop"):
            self.refused(text + "\n", "io_context::stop")
        self.accepted("if (ioc.stopped()) return;\nserver.stop();\n")

    def test_capturing_coroutine_called_on_the_spot(self):
        for text in ("co_spawn(ex, [x]() -> task<void> { co_return; }(), h);", "group.spawn(\"a\", [&] -> task<void> { co_await f(x[1]); }());",
                     "co_await [this, n = 3](int a) mutable -> calbridge::task<int> { if (a) { co_return 1; } co_return n; }(2);",
                     "return [&]() -> asio::awaitable<void> {\n  co_return;\n}();"):
            self.refused(text + "\n", "capturing coroutine lambda")
        for text in ("co_spawn(ex, []() -> task<void> { co_return; }(), h);", "auto const n = [&] { return f(x); }();",
                     "auto body = [&]() -> task<void> { co_return; };\nrun(body());", "int a[3] = {1, 2, 3}; f(a[x](1));", 'log("[x]() -> task<void> { co_return; }()");'):
            self.accepted(text + "\n")

    def test_temporaries_in_an_awaiting_expression(self):
        for text in ("co_await save({.title = t});", "auto a = co_await save(patch{t});", "co_await run(ex, [] { return 1; });", "if (co_await f(g({1, 2}))) {}"):
            self.refused(text + "\n", "name what you pass to co_await")
        for text in ("co_await save(std::move(patch));", "co_await take({}, rows{ });", "if (co_await ready()) { f({1}); }", "for (auto& x : co_await list(a)) {\n f({x});\n}",
                     "co_return co_await f(a);", "while (auto m = co_await q.pop()) {}"):
            self.accepted(text + "\n")
        self.accepted("co_await save({.title = t});\n", "libs/domain/a_test.cpp")

    def test_unfinished_work(self):
        for word in ("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"):
            self.refused("// %s: later\n" % word, "unfinished work")
            self.refused("# %s\n" % word, "unfinished work", "dev")
        self.accepted("// todos are tasks; mastodon\n")

    def test_machine_paths(self):
        for path in ("/wo" + "rk/main/x", "/ho" + "me/ann/x", "/ro" + "ot/.cache", "/Us" + "ers/ann", "../sh" + "ared/style"):
            self.refused("open %s\n" % path, "path of one machine", "docs/a.md")
        self.accepted("GET https://example.org/wo" + "rk/ and ./wo" + "rk/\n", "docs/a.md")

    def test_built_sql(self):
        for text in ('auto q = "select a from b where id = " + id;', 'q = head + " where id = 1";', 'q += "VALUES (1)";',
                     'exec(fmt::format("delete from links where tenant = \'{}\'", tenant));', 'auto q = R"(update links set a = 1 where id = )" + id;',
                     'q = fmt::format(R"sql(\n insert into {} (a) values (1))sql", table);'):
            self.refused(text + "\n", "SQL is put together", "libs/store/a.cpp")
        for text in ('auto q = "select a from b where id = $1";', 'auto q = "select a"\n "from b";', 'fail("update of task " + id);', 'log("selected " + name);', "++n;"):
            self.accepted(text + "\n", "libs/store/a.cpp")
        self.accepted('exec("drop database " + name);\n', "libs/store/a_pgtest.cpp")

    def test_randomness_environment_sleep_and_format(self):
        for text, sentence in (("std::mt19937 g;", "randomness"), ("int a = rand();", "randomness"), ('auto p = std::getenv("HOME");', "environment"),
                               ("std::this_thread::sleep_for(1s);", "blocking sleep"), ("usleep(5);", "blocking sleep"), ('std::format("{}", 1);', "fmt::format")):
            self.refused(text + "\n", sentence)
        self.accepted("std::random_device d;\n", "libs/common/base/random.cpp")
        self.accepted('char* p = getenv("HOME");\n', "libs/common/config/load.cpp")
        self.accepted("co_await sleep_for(seconds(1));\nuniform_random();\n")

    def test_header_guard(self):
        self.refused("// Nothing.\nint a;\n", "#pragma once", "libs/domain/a.h")
        self.accepted("#pragma once\nint a;\n", "libs/domain/a.h")

    def test_file_length(self):
        self.assertEqual(([], []), check_style.check(self.written({"libs/domain/a.cpp": "\n" * 400})))
        findings, notes = check_style.check(self.written({"libs/domain/a.cpp": "\n" * 600}))
        self.assertEqual(([], 1), (findings, len(notes)))
        self.refused("\n" * 601, "split it")

    def test_the_exit_code_tells(self):
        argv = sys.argv
        self.addCleanup(setattr, sys, "argv", argv)
        sys.argv = ["check_style.py", self.written({"libs/domain/a.cpp": "asio::detached;\n"})]
        self.assertEqual(1, check_style.main())
        sys.argv = ["check_style.py", self.written({"libs/domain/a.cpp": "\n"})]
        self.assertEqual(0, check_style.main())


class CppText(unittest.TestCase):
    def test_comments_and_literals_are_blanked_in_place(self):
        source = 'a("x // y"); // c\n/* d\n*/ b(\'"\', R"q(")" // no)q", 1\'000\'000); c();\n'
        code = cpp_text.code_only(source)
        self.assertEqual(len(source), len(code))
        self.assertEqual(source.count("\n"), code.count("\n"))
        for gone in ("x", "d\n", "no", "// c"):
            self.assertNotIn(gone, code)
        for kept in ("a(", "b(", "c();", "1'000'000"):
            self.assertIn(kept, code)

    def test_includes_know_their_lines(self):
        self.assertEqual([(1, "a.h"), (3, "b/c.h")], list(cpp_text.includes('#include <a.h>\n\n  # include "b/c.h"\nauto s = "#include <d.h>";\n')))


if __name__ == "__main__":
    unittest.main()
