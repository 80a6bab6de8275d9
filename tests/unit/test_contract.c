/* test_contract.c - requests: every sentence of refusal, what is kept, and
 * hostile text.  In the rows ' stands for ". */
#include "contract/request.h"

#include <sys/mman.h>
#include <time.h>

#include "t.h"

#include "contract/table.h"

enum { LIMIT = 16 << 20, TEXT_MAX = 4096 };

/* clang-format off */
#define V10 "'version':'1.0.0'"
#define V11 "'version':'1.1.0-alpha'"
#define C1 "'version':'1.1.0+c1'"
#define RUN "'process':{'commandLine':'x'}"
#define DOC(more) "{" V10 "," RUN "," more "}"
#define DOC11(more) "{" V11 "," RUN "," more "}"
#define DOCC1(more) "{" C1 "," RUN "," more "}"
#define ON(name, more) "{" V10 "," RUN ",'containment':'" name "'," more "}"
#define EGRESS(more) DOC("'network':{'egress':{" more "}}")
#define PEER(more) EGRESS("'allow':[{'to':[{" more "}]}]")
#define PORTS(more) EGRESS("'deny':[{},{'ports':[{" more "}]}]")
#define PROXY "'runtimeConfig':{'networkProxy':'http://127.0.0.1:8080'}"
#define ALL_OPEN "'network':{'egress':{'default':'allow'}," \
                 "'ingress':{'default':'allow','hostLoopback':'allow'}}"
#define PEERC1(more) DOCC1("'network':{'egress':{'allow':[{'to':[{" more \
                           "}]}]}}")
#define INGRESS(more) DOCC1("'network':{'ingress':{" more "}}")
#define LOOPBACK(more) INGRESS("'hostLoopback':'allow'," more)
#define VERSIONS "'0.6.0-alpha', '0.7.0-alpha', '0.8.0-alpha', " \
                 "'0.9.0-alpha', '0.10.0-alpha', '1.0.0', '1.1.0-alpha', " \
                 "'1.1.0+c1'"
#define U32 "an integer from 0 to 4294967295"
/* clang-format on */

static void unquote(char out[TEXT_MAX], const char *text)
{
    size_t n = strlen(text);

    CHECK(n < TEXT_MAX);
    for (size_t i = 0; i <= n; i++)
        out[i] = text[i] == '\'' ? '"' : text[i];
}

static int parse(struct arena *a, const char *row, struct request **r,
                 struct err *e)
{
    char text[TEXT_MAX];

    unquote(text, row);
    return request_parse(a, text, strlen(text), r, e);
}

/* clang-format off */
static const struct {
    const char *text, *msg, *where;
    unsigned line, column;      /* 0: not looked at */
    const char *hint;           /* a part of it */
} refused[] = {
    /* which contract, which kind */
    { "[]", "expected an object, found an array", "", 1, 1, "" },
    { "7", "expected an object, found a number", "", 1, 1, "" },
    { "{}", "missing field 'version'", "", 1, 1,
      "add \"version\": \"1.0.0\"" },
    { "{'version':1}", "expected a string, found a number", "version", 1, 12,
      "" },
    { "{'version':'2'}",
      "unsupported contract version '2', expected one of " VERSIONS, "version",
      1, 12, "" },
    { "{'version':'1.0.0\\u0000'}",
      "unsupported contract version '1.0.0\\u{0}', expected one of " VERSIONS,
      "version", 1, 12, "" },
    { "{" V10 ",'phase':null}", "expected a string, found null", "phase", 1,
      28, "" },
    { "{" V10 ",'phase':'run'}",
      "unknown phase 'run', expected one of 'provision', 'start', 'exec', "
      "'stop', 'deprovision'", "phase", 1, 28, "" },
    { "{" V10 ",'phase':'provision'}", "missing field 'containment'", "", 1, 1,
      "" },
    { "{" V10 ",'phase':'provision','containment':{}}",
      "expected a string, found an object", "containment", 0, 0, "" },
    { "{" V10 ",'phase':'provision','containment':'process'}",
      "containment 'process' cannot be provisioned", "containment", 0, 0, "" },
    { "{" V10 ",'phase':'provision','containment':'windows_sandbox'}",
      "containment 'windows_sandbox' cannot be provisioned", "containment", 0,
      0, "" },
    { "{" V10 ",\n 'version':'1.0.0'," RUN "}", "duplicate field 'version'",
      "version", 2, 2, "" },
    /* names */
    { DOC("'zz':1"),
      "unknown field 'zz', expected one of 'version', '$schema', '_comment', "
      "'telemetry', 'containerId', 'containment', 'lifecycle', 'process', "
      "'filesystem', 'fallback', 'network', 'runtimeConfig', 'ui', "
      "'processContainer', 'lxc', 'seatbelt', 'wslc'", "zz", 1, 50, "" },
    { "{" V10 ",'process':{'commandline':'x'}}",
      "unknown field 'commandline', expected one of 'commandLine', 'cwd', "
      "'env', 'inheritDefaultEnv', 'timeout'", "process.commandline", 1, 31,
      "did you mean 'commandLine'?" },
    { DOC("'test':{}"), NULL, "test", 0, 0,
      "contract '1.1.0+c1' has this field" },
    { DOC("'\\u001b[31m\\u202e':{}"), NULL, "\\u{1b}[31m\\u{202e}", 0, 0, "" },
    { DOC("'network':{'egress':{},'ingress':{},'proxy':{}}"),
      "unknown field 'proxy', expected one of 'egress', 'ingress'",
      "network.proxy", 0, 0, "use runtimeConfig.networkProxy" },
    { DOC("'network':{'defaultPolicy':'allow'}"), NULL,
      "network.defaultPolicy", 0, 0, "use network.egress.default" },
    { DOC("'network':{'enforcementMode':'both'}"), NULL,
      "network.enforcementMode", 0, 0, "leave it out" },
    { DOC("'network':{'allowLocalNetwork':true}"), NULL,
      "network.allowLocalNetwork", 0, 0, "use network.ingress.default" },
    { DOC("'network':{'allowedHosts':[]}"), NULL, "network.allowedHosts", 0, 0,
      "use network.egress.allow" },
    { DOC("'network':{'blockedHosts':[]}"), NULL, "network.blockedHosts", 0, 0,
      "use network.egress.deny" },
    { DOC("'ui':{'disable':true,\n  'disable':true}"),
      "duplicate field 'disable'", "ui.disable", 2, 3, "" },
    { "{'version':'0.9.0-alpha'," RUN ",'containment':'seatbelt',"
      "'seatbelt':{},'macos_sandbox':{}}",
      "duplicate field: 'macos_sandbox' is another name of a field that is "
      "already there", "macos_sandbox", 0, 0, "" },
    { "{" V10 "}", "missing field 'process'", "", 1, 1, "" },
    { "{" V10 ",'process':{}}", "missing field 'commandLine'", "process", 1,
      30, "" },
    { ON("lxc", "'lxc':{'release':'r'}"), "missing field 'distribution'",
      "lxc", 0, 0, "" },
    { PEER("'except':[]"), "missing field 'cidr'",
      "network.egress.allow[0].to[0]", 0, 0, "" },
    /* kinds */
    { "{" V10 ",'process':['x']}", "expected an object, found an array",
      "process", 1, 30, "" },
    { DOC("'lifecycle':null"), "expected an object, found null", "lifecycle",
      0, 0, "leave the field out instead of setting it to null" },
    { "{" V10 ",'process':{'commandLine':1}}",
      "expected a string, found a number", "process.commandLine", 1, 45, "" },
    { "{" V10 ",'process':{'commandLine':'x','cwd':null}}",
      "expected a string, found null", "process.cwd", 0, 0,
      "leave the field out" },
    { "{" V10 ",'process':{'commandLine':'x','env':'A=1'}}",
      "expected an array, found a string", "process.env", 0, 0, "" },
    { "{" V10 ",'process':{'commandLine':'x','env':['A=1',true]}}",
      "expected a string, found a boolean", "process.env[1]", 0, 0, "" },
    { DOC("'ui':{'injection':0}"), "expected true or false, found a number",
      "ui.injection", 0, 0, "" },
    { DOC("'ui':{'clipboard':'Read'}"),
      "unknown value 'Read', expected one of 'none', 'read', 'write', 'all'",
      "ui.clipboard", 0, 0, "did you mean 'read'?" },
    { DOC("'ui':{'clipboard':['read']}"), "expected a string, found an array",
      "ui.clipboard", 0, 0, "" },
    { DOC("'containment':'native'"),
      "unknown value 'native', expected one of 'process', 'bubblewrap', "
      "'lxc', 'seatbelt', 'processcontainer', 'wslc', 'isolation_session'",
      "containment", 0, 0, "" },
    { "{" V10 ",'process':{'commandLine':'x','timeout':'1'}}",
      "expected " U32 ", found a string", "process.timeout", 0, 0, "" },
    { "{" V10 ",'process':{'commandLine':'x','timeout':1.0}}",
      "expected " U32 ", found 1.0", "process.timeout", 0, 0, "" },
    { "{" V10 ",'process':{'commandLine':'x','timeout':1e3}}",
      "expected " U32 ", found 1e3", "process.timeout", 0, 0, "" },
    { "{" V10 ",'process':{'commandLine':'x','timeout':-1}}",
      "expected " U32 ", found -1", "process.timeout", 0, 0, "" },
    { "{" V10 ",'process':{'commandLine':'x','timeout':4294967296}}",
      "expected " U32 ", found 4294967296", "process.timeout", 0, 0, "" },
    { ON("wslc", "'wslc':{'memoryMb':18446744073709551616}"),
      "expected an integer from 0 to 18446744073709551615, found "
      "18446744073709551616", "wslc.memoryMb", 0, 0, "" },
    { ON("wslc", "'wslc':{'portMappings':[{'windowsPort':0}]}"),
      "expected an integer from 1 to 65535, found 0",
      "wslc.portMappings[0].windowsPort", 0, 0, "" },
    /* texts */
    { "{" V10 ",'process':{'commandLine':''}}", "must not be empty",
      "process.commandLine", 0, 0, "" },
    { "{" V10 ",'process':{'commandLine':'a\\u0000b'}}",
      "string holds a NUL character", "process.commandLine", 0, 0, "" },
    { DOC("'containerId':'\\u0000'"), "string holds a NUL character",
      "containerId", 0, 0, "" },
    { DOC("'filesystem':{'readonlyPaths':['/a','\xc2\xa0\\t']}"),
      "path is empty", "filesystem.readonlyPaths[1]", 0, 0, "" },
    { DOC("'filesystem':{'deniedPaths':['/a\\u0022']}"),
      "path holds the character '\"'", "filesystem.deniedPaths[0]", 0, 0, "" },
    { ON("processcontainer", "'processContainer':{'capabilities':['a,b']}"),
      "a capability holds no comma; write several capabilities as several "
      "strings", "processContainer.capabilities[0]", 0, 0, "" },
    { ON("processcontainer",
         "'processContainer':{'capabilities':['PermissiveLearningMode']}"),
      "this capability is reserved; use 'learningMode' or 'captureDenials'",
      "processContainer.capabilities[0]", 0, 0, "" },
    { ON("processcontainer",
         "'processContainer':{'captureDenials':{'outputPath':'rel'}}"),
      "expected an absolute path",
      "processContainer.captureDenials.outputPath", 0, 0, "" },
    { ON("processcontainer",
         "'processContainer':{'captureDenials':{'outputPath':'/'}}"),
      "expected a file, found the root directory",
      "processContainer.captureDenials.outputPath", 0, 0, "" },
    { ON("processcontainer",
         "'processContainer':{'network':{'allowedProxyPeer':' '}}"),
      "must not be blank", "processContainer.network.allowedProxyPeer", 0, 0,
      "" },
    { ON("processcontainer",
         "'processContainer':{'network':{'allowedProxyPeer':'mxc-LOOPBACK'}}"),
      "'MXC-Loopback' is a reserved identity",
      "processContainer.network.allowedProxyPeer", 0, 0, "" },
    /* network rules */
    { EGRESS("'allow':[{'to':[]}]"), "array must not be empty",
      "network.egress.allow[0].to", 0, 0, "leave 'to' out" },
    { EGRESS("'deny':[{'ports':[]}]"), "array must not be empty",
      "network.egress.deny[0].ports", 0, 0, "leave 'ports' out" },
    { PEER("'cidr':'10.0.0.1/8'"), "has bits set behind the prefix length",
      "network.egress.allow[0].to[0].cidr", 0, 0, "" },
    { PEER("'cidr':'10.0.0.0/8','except':['10.1.0.0/16','x']"),
      "expected an IPv4 or IPv6 address, alone or with '/' and a prefix "
      "length", "network.egress.allow[0].to[0].except[1]", 0, 0, "" },
    { PEER("'cidr':'10.0.0.0/8',\n'except':['10.1.0.0/16','11.0.0.0/8']"),
      "exception lies outside its 'cidr'",
      "network.egress.allow[0].to[0].except[1]", 2, 25, "" },
    { PORTS("'protocol':'icmp','port':1"), "protocol 'icmp' has no ports",
      "network.egress.deny[1].ports[0]", 0, 0, "" },
    { PORTS("'endPort':1"), "'endPort' needs 'port'",
      "network.egress.deny[1].ports[0]", 0, 0, "" },
    { PORTS("'port':2,'endPort':1"), "'endPort' is below 'port'",
      "network.egress.deny[1].ports[0]", 0, 0, "" },
    /* proxy */
    { DOC("'runtimeConfig':{'networkProxy':'ftp://localhost:1'}"),
      "expected a URL that begins with 'http://' or 'https://'",
      "runtimeConfig.networkProxy", 1, 82, "" },
    { DOC("'runtimeConfig':{'networkProxy':'http://proxy.example:1'}"),
      "proxy must be on localhost, 127.0.0.1 or [::1]",
      "runtimeConfig.networkProxy", 0, 0, "" },
    { DOC(PROXY ",'network':{'egress':{'default':'allow'}}"),
      "a proxy is the only way out: it needs network.egress.default 'deny' "
      "and no rules", "runtimeConfig.networkProxy", 0, 0, "" },
    { ON("processcontainer", PROXY),
      "the proxy of a process container needs network.ingress.default "
      "'allow'", "runtimeConfig.networkProxy", 0, 0, "" },
    { ON("processcontainer", PROXY ",'network':{'ingress':{'default':"
         "'allow'}}"),
      "the proxy of a process container needs network.ingress.hostLoopback "
      "'allow' or an 'allowedProxyPeer'", "runtimeConfig.networkProxy", 0, 0,
      "" },
    { ON("processcontainer", PROXY ",'network':{'ingress':{'default':"
         "'allow','hostLoopback':'allow'}},'processContainer':{'network':"
         "{'allowedProxyPeer':'p'}}"),
      "'allowedProxyPeer' needs hostLoopback 'deny'",
      "network.ingress.hostLoopback", 0, 0, "" },
    { ON("processcontainer",
         "'processContainer':{'network':{'allowedProxyPeer':'p'}}"),
      "needs runtimeConfig.networkProxy",
      "processContainer.network.allowedProxyPeer", 0, 0, "" },
    /* backends */
    { "{" V10 "," RUN ",'containment':'isolation_session'}",
      "an isolation session needs egress.default, ingress.default and "
      "ingress.hostLoopback 'allow', no rules and no proxy", "network", 1, 1,
      "" },
    { "{" V10 ",'phase':'provision','containment':'isolation_session',"
      "'network':{'egress':{'default':'deny'}}}",
      "unknown value 'deny', expected one of 'allow'",
      "network.egress.default", 0, 0, "" },
    { "{" V10 ",'phase':'exec','sandboxId':'wslc:1'}",
      "missing field 'process'", "", 1, 1, "" },
    { ON("wslc", "'wslc':{'portMappings':[{'windowsPort':1,'containerPort':1},"
                 "{'windowsPort':1,'containerPort':2}]}"),
      "this port is mapped twice", "wslc.portMappings[1].windowsPort", 0, 0,
      "" },
    { "{" V11 ",'phase':'provision','containment':'wslc','wslc':{'provision':"
      "{'portMappings':[{'windowsPort':1,'containerPort':1},"
      "{'windowsPort':1,'containerPort':2}]}}}",
      "this port is mapped twice",
      "wslc.provision.portMappings[1].windowsPort", 1, 155, "" },
    { ON("bubblewrap", "'seatbelt':{}"),
      "section 'seatbelt' does not belong to containment 'bubblewrap'",
      "seatbelt", 0, 0,
      "remove the section, or set 'containment' to 'seatbelt'" },
    { DOC("'processContainer':{},'seatbelt':{}"),
      "sections 'processContainer' and 'seatbelt' belong to different "
      "backends", "seatbelt", 0, 0, "" },
    { "{" C1 "," RUN ",'containment':'native','processContainer':{}}",
      "section 'processContainer' does not belong to containment 'native'",
      "processContainer", 0, 0, "remove the section" },
    /* our superset */
    { "{" C1 ",'phase':'exec','sandboxId':'x'}", "missing field 'process'", "",
      1, 1, "" },
    { DOCC1("'limits':{'pids':0}"),
      "expected an integer from 1 to 4294967295, found 0", "limits.pids", 0,
      0, "" },
    { DOCC1("'limits':{'advisory':['pids','advisory']}"),
      "expected the name of a limit", "limits.advisory[1]", 0, 0, "" },
    { DOCC1("'filesystem':{'hardLinks':'allow'}"),
      "unknown value 'allow', expected one of 'refuse'",
      "filesystem.hardLinks", 0, 0, "" },
    { DOC11("'guarantees':{'tier':'process'}"), NULL, "guarantees", 0, 0,
      "contract '1.1.0+c1' has this field" },
    { DOCC1("'guarantees':{'tier':'any'}"),
      "unknown value 'any', expected one of 'process', 'kernel', 'vm'",
      "guarantees.tier", 0, 0, "" },
    { DOCC1("'guarantees':{'tier':1}"), "expected a string, found a number",
      "guarantees.tier", 0, 0, "" },
    { DOCC1("'guarantees':{'tiers':'vm'}"), NULL, "guarantees.tiers", 0, 0,
      "did you mean 'tier'?" },
    { DOCC1("'guarantees':'vm'"), "expected an object, found a string",
      "guarantees", 0, 0, "" },
    /* names and forwarded ports */
    { PEER("'host':'a.example'"), NULL, "network.egress.allow[0].to[0].host",
      0, 0, "contract '1.1.0+c1' has this field" },
    { PEERC1("'host':''"), "must not be empty",
      "network.egress.allow[0].to[0].host", 0, 0, "" },
    { PEERC1("'host':'*.'"), "must not be empty",
      "network.egress.allow[0].to[0].host", 0, 0, "" },
    { PEERC1("'host':'a.example:443'"),
      "expected a host name: letters, digits, hyphens and dots, perhaps with "
      "'*.' in front", "network.egress.allow[0].to[0].host", 0, 0, "" },
    { PEERC1("'host':'a.*.example'"),
      "expected a host name: letters, digits, hyphens and dots, perhaps with "
      "'*.' in front", "network.egress.allow[0].to[0].host", 0, 0, "" },
    { PEERC1("'host':'b\u00fccher.example'"),
      "expected a host name: letters, digits, hyphens and dots, perhaps with "
      "'*.' in front", "network.egress.allow[0].to[0].host", 0, 0, "" },
    { PEERC1("'cidr':'10.0.0.1','host':'a.example'"),
      "'cidr' and 'host' exclude each other", "network.egress.allow[0].to[0]",
      0, 0, "" },
    { PEERC1(""), "needs 'cidr' or 'host'", "network.egress.allow[0].to[0]",
      0, 0, "" },
    { PEERC1("'intranet':true"), "needs 'cidr' or 'host'",
      "network.egress.allow[0].to[0]", 0, 0, "" },
    { PEERC1("'host':'a.example','except':[]"), "'except' belongs to 'cidr'",
      "network.egress.allow[0].to[0]", 0, 0, "" },
    { PEERC1("'cidr':'10.0.0.1','intranet':true"),
      "'intranet' belongs to 'host'", "network.egress.allow[0].to[0]", 0, 0,
      "" },
    { PEERC1("'cidr':'10.0.0.1/8'"), "has bits set behind the prefix length",
      "network.egress.allow[0].to[0].cidr", 0, 0, "" },
    { INGRESS("'ports':[{'guest':1}]"),
      "needs network.ingress.hostLoopback 'allow'", "network.ingress.ports",
      0, 0, "" },
    { INGRESS("'hostServices':[{'host':1}]"),
      "needs network.ingress.hostLoopback 'allow'",
      "network.ingress.hostServices", 0, 0, "" },
    { LOOPBACK("'ports':[{}]"), "missing field 'guest'",
      "network.ingress.ports[0]", 0, 0, "" },
    { LOOPBACK("'ports':[{'guest':0}]"),
      "expected an integer from 1 to 65535, found 0",
      "network.ingress.ports[0].guest", 0, 0, "" },
    { LOOPBACK("'ports':[{'guest':1,'host':65536}]"),
      "expected an integer from 0 to 65535, found 65536",
      "network.ingress.ports[0].host", 0, 0, "" },
    { LOOPBACK("'ports':[{'guest':1,'protocol':'udp'}]"),
      "unknown value 'udp', expected one of 'tcp'",
      "network.ingress.ports[0].protocol", 0, 0, "" },
    { LOOPBACK("'ports':[{'guest':1},{'guest':2},{'guest':1}]"),
      "this port of the sandbox is named twice", "network.ingress.ports[2]",
      0, 0, "" },
    { LOOPBACK("'ports':[{'guest':1,'host':80},{'guest':2,'host':80}]"),
      "this port of the host is named twice", "network.ingress.ports[1]", 0,
      0, "" },
    { LOOPBACK("'hostServices':[{}]"), "missing field 'host'",
      "network.ingress.hostServices[0]", 0, 0, "" },
    { LOOPBACK("'hostServices':[{'host':0}]"),
      "expected an integer from 1 to 65535, found 0",
      "network.ingress.hostServices[0].host", 0, 0, "" },
    { LOOPBACK("'hostServices':[{'host':1},{'host':2,'guest':1}]"),
      "this port of the sandbox is named twice, or published",
      "network.ingress.hostServices[1]", 0, 0, "" },
    { LOOPBACK("'hostServices':[{'host':1,'guest':2},{'host':1}]"),
      "this port of the host is named twice",
      "network.ingress.hostServices[1]", 0, 0, "" },
    { LOOPBACK("'ports':[{'guest':5432}],'hostServices':[{'host':5432}]"),
      "this port of the sandbox is named twice, or published",
      "network.ingress.hostServices[0]", 0, 0, "" },
    { DOC11("'network':{'ingress':{'hostLoopback':'allow','ports':[]}}"),
      NULL, "network.ingress.ports", 0, 0,
      "contract '1.1.0+c1' has this field" },
    { DOC11("'runtimeConfig':{'filteringProxy':false}"), NULL,
      "runtimeConfig.filteringProxy", 0, 0,
      "contract '1.1.0+c1' has this field" },
    { DOCC1("'runtimeConfig':{'filteringProxy':true,"
            "'networkProxy':'http://127.0.0.1:8080'}"),
      "'networkProxy' and 'filteringProxy' exclude each other",
      "runtimeConfig.filteringProxy", 0, 0, "" },
    { DOC11("'limits':{}"), NULL, "limits", 0, 0,
      "contract '1.1.0+c1' has this field" },
};
/* clang-format on */

TEST(refusals)
{
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct arena a = { .limit = LIMIT };
        struct request *r = NULL;
        struct err e = { 0 };

        NOTE(refused[i].text);
        CHECK_INT(parse(&a, refused[i].text, &r, &e), -1);
        CHECK(r == NULL);
        CHECK_INT(e.code, ERR_MALFORMED_REQUEST);
        if (refused[i].msg)
            CHECK_STR(e.msg, refused[i].msg);
        else
            CHECK_HAS(e.msg, "unknown field '");
        CHECK_STR(e.where, refused[i].where);
        CHECK(e.line > 0 && e.column > 0);
        if (refused[i].line) {
            CHECK_INT(e.line, refused[i].line);
            CHECK_INT(e.column, refused[i].column);
        }
        CHECK_HAS(e.hint, refused[i].hint);
        CHECK(*refused[i].hint || !*e.hint);
        arena_drop(&a);
    }
}

/* clang-format off */
static const char *const accepted[] = {
    "{" V10 "," RUN "}",
    "{'_comment':{'a':1,'a':'\\u0000','b':1e999}," RUN "," V10 "}",
    DOC("'$schema':'','containerId':'../x','telemetry':{'enabled':true}"),
    DOC("'lifecycle':{},'filesystem':{},'fallback':{},'network':{},'ui':{}"),
    DOC("'processContainer':{'ui':{'systemSettings':'anything'}}"),
    DOC("'seatbelt':{}"),
    DOC("'filesystem':{'readonlyPaths':['rel','~','..','C:\\\\x','/a\\nb']}"),
    DOC(PROXY ",'network':{'egress':{'allow':[],'deny':[]}}"),
    DOC("'runtimeConfig':{'networkProxy':'http://localhost:80'}"),
    EGRESS("'allow':[{}]"),
    PEER("'cidr':'10.0.0.0/8','except':['10.0.0.0/8','10.1.2.3']"),
    PORTS("'port':5,'endPort':5"),
    ON("lxc", "'lxc':{'distribution':'','release':''}"),
    ON("seatbelt", "'seatbelt':{'guiAccess':true}"),
    ON("isolation_session", ALL_OPEN),
    ON("processcontainer",
       PROXY ",'network':{'ingress':{'default':'allow','hostLoopback':"
             "'allow'}}"),
    ON("wslc", "'runtimeConfig':{'networkProxy':'http://proxy.example:1'},"
               "'network':{'egress':{'default':'allow'}}"),
    DOC11("'test':{'message':''}"),
    DOC11("'containment':'hyperlight','hyperlight':{'runtime':'node'}"),
    DOC11("'containment':'vm'"),
    DOC11("'containment':'windows_sandbox','windowsSandbox':{}"),
    "{'version':'0.9.0-alpha'," RUN ",'containment':'appcontainer',"
    "'appContainer':{}}",
    "{'version':'0.9.0-alpha'," RUN ",'containment':'macos_sandbox',"
    "'macos_sandbox':{}}",
    "{" V10 ",'phase':'start','sandboxId':''}",
    "{" V10 ",'phase':'stop','sandboxId':'x','telemetry':{}}",
    "{" V10 ",'phase':'deprovision','sandboxId':'x','_comment':null}",
    "{" V10 ",'phase':'exec','sandboxId':'wslc:1'," RUN ","
    "'runtimeConfig':{'networkProxy':'http://proxy.example:1'}}",
    "{" V10 ",'phase':'provision','containment':'wslc'}",
    "{" V10 ",'phase':'provision','containment':'isolation_session'," ALL_OPEN
    ",'isolationSession':{'provision':{'appId':''}}}",
    "{" V11 ",'phase':'provision','containment':'windows_sandbox'}",
    "{" C1 ",'phase':'start','sandboxId':'x'}",
    "{" C1 "}",
    PEERC1("'host':'*.example.com','intranet':true"),
    PEERC1("'cidr':'10.0.0.0/8','except':['10.1.0.0/16'],'intranet':false"),
    LOOPBACK("'ports':[],'hostServices':[]"),
    LOOPBACK("'ports':[{'guest':1,'protocol':'tcp'},{'guest':2}],"
             "'hostServices':[{'host':1,'guest':3},{'host':2,'guest':4}]"),
    INGRESS("'ports':[]"),
    DOCC1("'runtimeConfig':{'filteringProxy':true},"
          "'network':{'egress':{'default':'allow'}}"),
    DOCC1("'containment':'native','limits':{},"
          "'filesystem':{'hardLinks':'refuse'}"),
    DOCC1("'guarantees':{}"),
    DOCC1("'containment':'bubblewrap','guarantees':{'tier':'vm'}"),
};
/* clang-format on */

TEST(acceptance)
{
    for (size_t i = 0; i < ARRAY_LEN(accepted); i++) {
        struct arena a = { .limit = LIMIT };
        struct request *r = NULL;
        struct err e = { .code = 99 };

        NOTE(accepted[i]);
        if (parse(&a, accepted[i], &r, &e) < 0)
            T_FAIL("refused: %s", e.msg);
        CHECK(r != NULL);
        CHECK_INT(e.code, 99);
        arena_drop(&a);
    }
}

static const struct request *must(struct arena *a, const char *row)
{
    struct request *r = NULL;
    struct err e = { 0 };

    if (parse(a, row, &r, &e) < 0)
        T_FAIL("%s: %s", row, e.msg);
    return r;
}

TEST(zero_is_strict)
{
    struct arena a = { .limit = LIMIT };
    const struct request *r = must(&a, "{" V10 "," RUN "}");
    struct request want = { .contract = CONTRACT_1_0_0 };

    CHECK_STR(r->version, "1.0.0");
    CHECK_STR(r->process.command_line, "x");
    want.version = r->version;
    want.process.command_line = r->process.command_line;
    CHECK(memcmp(r, &want, sizeof(want)) == 0);
    /* The same with every default written out. */
    r = must(&a, DOC("'containment':'process','lifecycle':{'destroyOnExit':"
                     "true,'preservePolicy':false},'fallback':{"
                     "'allowDaclMutation':true},'ui':{'disable':true,"
                     "'clipboard':'none','injection':false},'telemetry':{"
                     "'enabled':false}"));
    want.version = r->version;
    want.process.command_line = r->process.command_line;
    CHECK(memcmp(r, &want, sizeof(want)) == 0);
    arena_drop(&a);
}

TEST(process_and_files_are_kept)
{
    struct arena a = { .limit = LIMIT };
    const struct request *r = must(
        &a, "{" C1 ",'containerId':'id','containment':'bubblewrap',"
            "'process':{'commandLine':'a \\u20ac','cwd':'/w','env':['A=1','B'],"
            "'inheritDefaultEnv':true,'timeout':4294967295},"
            "'lifecycle':{'destroyOnExit':false,'preservePolicy':true},"
            "'filesystem':{'readwritePaths':['/a','/b'],'readonlyPaths':[],"
            "'deniedPaths':['/c'],'hardLinks':'refuse'},"
            "'fallback':{'allowDaclMutation':false},'ui':{'disable':false,"
            "'clipboard':'all','injection':true},'telemetry':{'enabled':true},"
            "'limits':{'memoryBytes':1,'pids':2,'advisory':['pids']},"
            "'guarantees':{'tier':'kernel'}}");

    CHECK_INT(r->contract, CONTRACT_1_1_0_C1);
    CHECK_INT(r->phase, PHASE_NONE);
    CHECK_STR(r->container_id, "id");
    CHECK_INT(r->containment, CONTAIN_BUBBLEWRAP);
    CHECK_STR(r->process.command_line, "a \xe2\x82\xac");
    CHECK_STR(r->process.cwd, "/w");
    CHECK_INT(r->process.env.n, 2);
    CHECK(r->process.env.present);
    CHECK_STR(r->process.env.item[1], "B");
    CHECK(r->process.inherit_default_env);
    CHECK_INT(r->process.timeout_ms, 4294967295u);
    CHECK(r->lifecycle.keep_on_exit && r->lifecycle.preserve_policy);
    CHECK_STR(r->filesystem.readwrite.item[1], "/b");
    CHECK(r->filesystem.readonly.present && !r->filesystem.readonly.item);
    CHECK_STR(r->filesystem.denied.item[0], "/c");
    CHECK_INT(r->filesystem.hard_links, LINKS_REFUSE);
    CHECK(r->refuse_dacl_mutation && r->ui.enable && r->ui.injection);
    CHECK_INT(r->ui.clipboard, CLIP_ALL);
    CHECK(r->telemetry && r->limits_present);
    CHECK_INT(r->limits.memory_bytes, 1);
    CHECK_INT(r->limits.pids, 2);
    CHECK_STR(r->limits.advisory.item[0], "pids");
    CHECK_INT(r->tier, TIER_KERNEL);
    r = must(&a, "{" V10 ",'process':{'commandLine':'x','cwd':''}}");
    CHECK(!r->process.cwd);
    arena_drop(&a);
}

TEST(network_is_kept)
{
    struct arena a = { .limit = LIMIT };
    const struct request *r = must(
        &a,
        DOC("'network':{'egress':{'default':'allow','allow':[{'to':[{'cidr':"
            "'10.0.0.0/8','except':['10.1.0.0/16']},{'cidr':'::1'}],'ports':[{"
            "'protocol':'udp','port':1,'endPort':9}]},{}],'deny':[]},"
            "'ingress':{'default':'allow','hostLoopback':'allow'}}"));
    const struct net_rule *rule = r->network.egress_allow.item;

    CHECK(r->network.present && r->network.egress_present);
    CHECK(r->network.ingress_present);
    CHECK_INT(r->network.egress_default, NET_ALLOW);
    CHECK_INT(r->network.egress_allow.n, 2);
    CHECK(r->network.egress_allow.present && r->network.egress_deny.present);
    CHECK_INT(r->network.egress_deny.n, 0);
    CHECK_INT(rule->nto, 2);
    CHECK_STR(rule->to[0].cidr, "10.0.0.0/8");
    CHECK_STR(rule->to[0].except.item[0], "10.1.0.0/16");
    CHECK_STR(rule->to[1].cidr, "::1");
    CHECK(!rule->to[1].except.present);
    CHECK_INT(rule->nports, 1);
    CHECK_INT(rule->ports[0].protocol, PROTO_UDP);
    CHECK_INT(rule->ports[0].port, 1);
    CHECK_INT(rule->ports[0].end_port, 9);
    CHECK(!rule[1].to && !rule[1].ports);
    CHECK_INT(r->network.ingress_default, NET_ALLOW);
    CHECK_INT(r->network.host_loopback, NET_ALLOW);
    r = must(&a, DOC(PROXY));
    CHECK_STR(r->network_proxy, "http://127.0.0.1:8080");
    CHECK(!r->network.present);
    arena_drop(&a);
}

TEST(names_and_forwarded_ports_are_kept)
{
    struct arena a = { .limit = LIMIT };
    const struct request *r =
        must(&a, DOCC1("'network':{'egress':{'allow':[{'to':[{'host':"
                       "'*.a.example','intranet':true},{'cidr':'10.0.0.1'}]}]"
                       "},'ingress':{'hostLoopback':'allow','ports':[{'guest':"
                       "3000},{'host':65535,'guest':1,'protocol':'tcp'}],"
                       "'hostServices':[{'host':5432},{'host':80,'guest':"
                       "8080}]}},'runtimeConfig':{'filteringProxy':true}"));
    const struct net_peer *to = r->network.egress_allow.item[0].to;

    CHECK_STR(to[0].host, "*.a.example");
    CHECK(to[0].intranet && !to[0].cidr);
    CHECK(!to[1].intranet && !to[1].host);
    CHECK_STR(to[1].cidr, "10.0.0.1");
    CHECK_INT(r->network.npublish, 2);
    CHECK_INT(r->network.publish[0].guest, 3000);
    CHECK_INT(r->network.publish[0].host, 0);
    CHECK_INT(r->network.publish[1].guest, 1);
    CHECK_INT(r->network.publish[1].host, 65535);
    CHECK_INT(r->network.nservices, 2);
    CHECK_INT(r->network.service[0].host, 5432);
    CHECK_INT(r->network.service[0].guest, 0);
    CHECK_INT(r->network.service[1].host, 80);
    CHECK_INT(r->network.service[1].guest, 8080);
    CHECK(r->filtering_proxy);
    arena_drop(&a);
}

TEST(sections_and_phases_are_kept)
{
    struct arena a = { .limit = LIMIT };
    const struct request *r = must(
        &a, ON("seatbelt", "'seatbelt':{'profileOverride':'p','guiAccess':true,"
                           "'nestedPty':false,'keychainAccess':true,"
                           "'extraMachLookups':['m']}"));

    CHECK(r->seatbelt.present && r->seatbelt.gui_access);
    CHECK(r->seatbelt.no_nested_pty && r->seatbelt.keychain_access);
    CHECK_STR(r->seatbelt.profile_override, "p");
    CHECK_STR(r->seatbelt.extra_mach_lookups.item[0], "m");
    r = must(&a, ON("lxc", "'lxc':{'distribution':'d','release':'r'}"));
    CHECK(r->lxc.present);
    CHECK_STR(r->lxc.distribution, "d");
    CHECK_STR(r->lxc.release, "r");
    r = must(&a, ON("processcontainer",
                    "'processContainer':{'captureDenials':{'outputPath':"
                    "'C:\\\\x\\\\y'}}"));
    CHECK(r->process_container_present);
    CHECK_STR(r->process_container.capture_output_path, "C:\\x\\y");
    r = must(&a, "{" V11 ",'phase':'provision','containment':'wslc','wslc':{"
                 "'provision':{'portMappings':[{'windowsPort':80,"
                 "'containerPort':8080}]}}}");
    CHECK_INT(r->phase, PHASE_PROVISION);
    CHECK_INT(r->containment, CONTAIN_WSLC);
    CHECK_INT(r->nwslc_ports, 1);
    CHECK_INT(r->wslc_ports[0].windows_port, 80);
    CHECK_INT(r->wslc_ports[0].container_port, 8080);
    r = must(&a, "{" V10 ",'phase':'exec','sandboxId':'wslc:1'," RUN "}");
    CHECK_INT(r->phase, PHASE_EXEC);
    CHECK_STR(r->sandbox_id, "wslc:1");
    arena_drop(&a);
}

TEST(sections_are_asked_again_for_an_intent)
{
    struct arena a = { .limit = LIMIT };
    const struct request *r = must(&a, DOC("'processContainer':{}"));
    struct err e = { 0 };

    CHECK_INT(request_check_sections(r, CONTAIN_PROCESSCONTAINER, &e), 0);
    CHECK_INT(request_check_sections(r, CONTAIN_NATIVE, &e), -1);
    CHECK_STR(e.msg, "section 'processContainer' does not belong to "
                     "containment 'native'");
    CHECK_STR(e.where, "processContainer");
    arena_drop(&a);
}

TEST(names_and_numbers)
{
    for (int c = CONTRACT_0_9_0_ALPHA; c <= CONTRACT_1_1_0_C1; c++)
        CHECK_INT(contract_find(contract_name((enum contract)c)), c);
    CHECK(!contract_name(CONTRACT_NONE));
    CHECK_INT(contract_find("1.0"), CONTRACT_NONE);
    for (int c = CONTAIN_PROCESS; c <= CONTAIN_ISOLATION_SESSION; c++)
        CHECK(containment_name((enum containment)c));
    CHECK_STR(containment_name(CONTAIN_PROCESSCONTAINER), "processcontainer");
    CHECK_STR(containment_name(CONTAIN_SEATBELT), "seatbelt");
}

TEST(locating)
{
    static const char text[] = "{\n  \"version\": \"1.0.0\",\n  \"process\": "
                               "{\"commandLine\": \"x\",\n    \"env\": [\"A\","
                               " \"B\"]}\n}\n";
    unsigned line = 9, column = 9;

    request_locate(text, strlen(text), "process.env[1]", &line, &column);
    CHECK_INT(line, 4);
    CHECK_INT(column, 18);
    request_locate(text, strlen(text), "process.cwd", &line, &column);
    CHECK_INT(line, 0);
    CHECK_INT(column, 0);
    request_locate("{", 1, "process", &line, &column);
    CHECK_INT(line, 0);
}

/* The walker marks what it has seen in 64 bits, and the names of one object
 * must not hide each other within one contract. */
static void check_object(const struct object *o)
{
    size_t n = 0;

    CHECK(o->name && *o->name);
    for (const struct field *f = o->fields; f->name; f++, n++) {
        NOTE(f->name);
        CHECK(f->doc && f->in);
        for (const struct field *g = o->fields; g < f; g++)
            CHECK(!(g->in & f->in) || strcmp(g->name, f->name) != 0);
        CHECK(f->off != 0 || f->kind != K_OBJ);
        if (f->kind == K_OBJ || f->kind == K_OBJS)
            check_object(f->arg);
        if (f->kind == K_OBJS)
            CHECK(f->count && ((const struct object *)f->arg)->size);
    }
    CHECK(n < 64);
}

TEST(tables_are_sound)
{
    for (const struct root *r = roots; r->object; r++)
        check_object(r->object);
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Reading one byte of these pages would be the end of the test. */
TEST(a_gigabyte_is_not_read)
{
    const size_t size = (size_t)1 << 30;
    const char *p = mmap(NULL, size, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    struct arena a = { .limit = LIMIT };
    struct request *r = NULL;
    struct err e = { 0 };

    CHECK(p != MAP_FAILED);
    CHECK_INT(request_parse(&a, p, size, &r, &e), -1);
    CHECK_STR(e.msg, "request has 1073741824 bytes, more than the 8388608 "
                     "that are read");
    CHECK_INT(request_parse(&a, p, REQUEST_MAX_BYTES + 1, &r, &e), -1);
    CHECK_HAS(e.msg, "request has 8388609 bytes");
    CHECK_INT(a.used, 0);
}

/* `piece` as often as fits between head and tail into the largest text. */
static char *fill(const char *head, const char *piece, const char *tail)
{
    size_t h = strlen(head), t = strlen(tail), n = strlen(piece);
    char *text = malloc((size_t)REQUEST_MAX_BYTES + 1), *p = text;

    CHECK(text);
    for (memcpy(p, head, h), p += h; p + n + t < text + REQUEST_MAX_BYTES;
         p += n)
        memcpy(p, piece, n);
    memcpy(p, tail, t + 1);
    return text;
}

/* clang-format off */
static const struct {
    const char *head, *piece, *tail, *msg;
} floods[] = {
    { "{\"version\":\"1.0.0\",\"_comment\":[", "0,", "0]}",
      "document needs more memory than a document may use" },
    { "{\"version\":\"1.0.0\",\"_comment\":[", "{},", "0]}",
      "document needs more memory than a document may use" },
    { "{\"version\":\"1.0.0\",\"_comment\":[", "\"\\u0041\",", "0]}",
      "missing field 'process'" },
    { "", "[", "", "invalid JSON: nested deeper than 127 levels" },
    { "", "{\"a\":", "", "invalid JSON: nested deeper than 127 levels" },
    { "", " ", "", "invalid JSON: the text ends, expected a value" },
    { "", "9", "", "expected an object, found a number" },
    { "\"", "x", "\"", "expected an object, found a string" },
    { "{\"version\":\"", "\\u202e", "\"}", "unsupported contract version" },
    { "{\"version\":\"1.0.0\",\"", "k", "\":1}", "unknown field 'kkk" },
    { "{\"version\":\"1.0.0\",\"process\":{\"commandLine\":\"x\",\"env\":[",
      "\"A=12345\",", "\"\"]}}", "request needs more memory than a request may "
      "use" },
    { "{\"version\":\"1.0.0\",\"process\":{\"commandLine\":\"x\"},\"network\":"
      "{\"egress\":{\"allow\":[", "{\"to\":[{\"cidr\":\"10.0.0.0/8\"}]},",
      "{\"to\":[{\"cidr\":\"10.0.0.1/8\"}]}]}}}",
      "request needs more memory than a request may use" },
    { "{\"version\":\"1.0.0\",\"process\":{\"commandLine\":\"x\",\"timeout\":",
      "9", "}}", "expected an integer from 0 to 4294967295, found 9999" },
    { "{\"version\":\"1.0.0\",", "\"version\":\"1.0.0\",", "\"a\":1}",
      "duplicate field 'version'" },
};
/* clang-format on */

TEST(floods_cost_little)
{
    for (size_t i = 0; i < ARRAY_LEN(floods); i++) {
        scoped(drop_mem) char *text =
            fill(floods[i].head, floods[i].piece, floods[i].tail);
        struct arena a = { .limit = LIMIT };
        struct request *r = NULL;
        struct err e = { 0 };
        double start = seconds();

        NOTE(floods[i].msg);
        CHECK_INT(request_parse(&a, text, strlen(text), &r, &e), -1);
        CHECK_HAS(e.msg, floods[i].msg);
        CHECK(a.used <= a.limit);
        CHECK(seconds() - start < 5);
        arena_drop(&a);
    }
}

/* A long honest request is no attack: 100,000 paths. */
TEST(long_requests_are_taken)
{
    scoped(drop_mem) char *text = malloc(REQUEST_MAX_BYTES);
    size_t n = (size_t)snprintf(
        text, REQUEST_MAX_BYTES,
        "{\"version\":\"1.0.0\",\"process\":{\"commandLine\":\"x\"},"
        "\"filesystem\":{\"readonlyPaths\":[");
    struct arena a = { .limit = LIMIT };
    struct request *r = NULL;
    struct err e = { 0 };

    for (int i = 0; i < 100000; i++)
        n += (size_t)snprintf(text + n, REQUEST_MAX_BYTES - n,
                              "%s\"/usr/share/thing/%d\"", i ? "," : "", i);
    n += (size_t)snprintf(text + n, REQUEST_MAX_BYTES - n, "]}}");
    CHECK_INT(request_parse(&a, text, n, &r, &e), 0);
    CHECK_INT(r->filesystem.readonly.n, 100000);
    CHECK_STR(r->filesystem.readonly.item[99999], "/usr/share/thing/99999");
    arena_drop(&a);
}

T_MAIN()
