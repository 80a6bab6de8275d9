/* test_former.c - the contracts before 1.0.0: which fields each has, and what
 * their network means.  In the rows ' stands for ". */
#include <stdio.h>

#include "t.h"

#include "backends/backend.h"
#include "contract/table.h"

enum { LIMIT = 4 << 20, TEXT_MAX = 1024 };

/* A whole document; @ is the version. */
static int parse_as(struct arena *a, enum contract c, const char *row,
                    struct request **r, struct err *e)
{
    char text[TEXT_MAX];
    const char *at_sign = strchr(row, '@');
    int n = snprintf(text, sizeof(text), "%.*s%s%s", (int)(at_sign - row), row,
                     contract_name(c), at_sign + 1);

    CHECK(n > 0 && n < TEXT_MAX);
    for (char *at = text; *at; at++)
        if (*at == '\'')
            *at = '"';
    return request_parse(a, text, strlen(text), r, e);
}

/* clang-format off */
#define V "'version':'@'"
#define RUN "'process':{'commandLine':'x'}"
#define DOC(more) "{" V "," RUN "," more "}"
#define ON(name, more) DOC("'containment':'" name "'," more)
#define NET(more) DOC("'network':{" more "}")
#define CONTAINER(more) ON("processcontainer", "'processContainer':{" more "}")
#define SEATBELT(more) ON("seatbelt", "'seatbelt':{" more "}")
#define EXPERIMENT(more) DOC("'experimental':{" more "}")
#define PHASE(name, more) "{" V ",'phase':'" name "'" more "}"
#define PROVISION(name, more) PHASE("provision", ",'containment':'" name "'" \
                                    more)
#define ID ",'sandboxId':'a:0'"
#define CONTRACTS_DEV (IN_08 | IN_DEV)

static const struct {
    const char *text;
    unsigned in;   /* the contracts that take it */
} rows[] = {
    { "{" V "," RUN "}", IN_ALL },
    { "{" V "}", IN_C1 },
    { DOC("'containerId':'c'"), IN_ALL },
    { DOC("'$schema':'s'"), SINCE_07 },
    { DOC("'_comment':{'a':null}"), SINCE_07 },
    { DOC("'telemetry':{'enabled':true}"), SINCE_09 },
    { DOC("'lifecycle':{'destroyOnExit':true,'preservePolicy':false}"),
      IN_ALL },
    { DOC("'filesystem':{'readwritePaths':['/a'],'readonlyPaths':['/b'],"
          "'deniedPaths':['/c']}"), IN_ALL },
    { DOC("'fallback':{'allowDaclMutation':false}"), IN_ALL },
    { DOC("'ui':{'disable':true,'clipboard':'all','injection':true}"),
      IN_ALL },
    { "{" V ",'process':{'commandLine':'x','cwd':'/','env':['A=1'],"
      "'timeout':1}}", IN_ALL },
    { "{" V ",'process':{'commandLine':'x','inheritDefaultEnv':true}}",
      SINCE_09 },
    { DOC("'limits':{}"), IN_C1 },
    { DOC("'containerId':null"), 0 },
    /* the network's two shapes */
    { NET("'defaultPolicy':'allow'"), IN_LEGACY },
    { NET("'defaultPolicy':'block'"), IN_LEGACY },
    { NET("'defaultPolicy':'deny'"), 0 },
    { NET("'enforcementMode':'capabilities'"), IN_LEGACY },
    { NET("'enforcementMode':'firewall'"), IN_LEGACY },
    { NET("'enforcementMode':'both'"), IN_LEGACY },
    { NET("'enforcementMode':'none'"), 0 },
    { NET("'allowLocalNetwork':true"), IN_LEGACY },
    { NET("'allowedHosts':['a.b','not a host']"), IN_LEGACY },
    { NET("'blockedHosts':[]"), IN_LEGACY },
    { NET("'allowedHosts':'a.b'"), 0 },
    { NET("'proxy':{'localhost':1}"), IN_LEGACY },
    { NET("'proxy':{'localhost':0}"), 0 },
    { NET("'proxy':{'url':'http://proxy.example:3128'}"), IN_LEGACY },
    { NET("'proxy':{'url':'http://proxy.example'}"), 0 },
    { NET("'proxy':{'builtinTestServer':true}"), IN_LEGACY },
    { NET("'proxy':{'builtinTestServer':false}"), 0 },
    { NET("'proxy':{}"), 0 },
    { NET("'proxy':{'localhost':1,'url':'http://a:1'}"), 0 },
    { NET("'proxy':{'localhost':1,'builtinTestServer':true}"), 0 },
    { NET("'egress':{'default':'allow'}"), SINCE_08 },
    { NET("'ingress':{'default':'deny','hostLoopback':'deny'}"), SINCE_08 },
    { NET("'egress':{'allow':[{'to':[{'host':'a.b'}]}]}"), IN_C1 },
    { NET("'egress':{},'defaultPolicy':'block'"), 0 },
    { NET("'ingress':{},'allowedHosts':[]"), 0 },
    { DOC("'runtimeConfig':{}"), SINCE_08 },
    { DOC("'runtimeConfig':{'networkProxy':'http://localhost:1'}"), SINCE_08 },
    { DOC("'runtimeConfig':{'filteringProxy':true}"), IN_C1 },
    { DOC("'runtimeConfig':{},'network':{'blockedHosts':[]}"), IN_08 },
    { DOC("'runtimeConfig':{'networkProxy':'http://localhost:1'},"
          "'network':{'blockedHosts':[]}"), 0 },
    /* backends */
    { DOC("'containment':'process'"), IN_ALL },
    { DOC("'containment':'native'"), IN_C1 },
    { DOC("'guarantees':{}"), IN_C1 },
    { DOC("'guarantees':{'tier':'vm'}"), IN_C1 },
    { DOC("'containment':'bubblewrap'"), IN_ALL },
    { DOC("'containment':'lxc'"), IN_ALL },
    { DOC("'containment':'processcontainer'"), IN_ALL },
    { DOC("'containment':'appcontainer'"), IN_ALIAS },
    { DOC("'containment':'seatbelt'"), SINCE_07 },
    { DOC("'containment':'macos_sandbox'"), IN_ALIAS & ~IN_06 },
    { DOC("'containment':'vm'"), CONTRACTS_DEV },
    { DOC("'containment':'microvm'"), CONTRACTS_DEV },
    { DOC("'containment':'hyperlight'"), CONTRACTS_DEV },
    { DOC("'containment':'windows_sandbox'"), CONTRACTS_DEV },
    { DOC("'containment':'wslc'"), SINCE_08 },
    { ON("isolation_session", "'network':{'defaultPolicy':'allow',"
         "'allowLocalNetwork':true}"), IN_08 },
    { ON("isolation_session", "'network':{'defaultPolicy':'allow'}"), 0 },
    { ON("lxc", "'lxc':{'distribution':'a','release':'b'}"), IN_ALL },
    { ON("lxc", "'lxc':{'distribution':'a'}"), 0 },
    { CONTAINER("'leastPrivilege':true,'capabilities':['a'],'ui':{"
                "'isolation':'atoms','desktopSystemControl':true,"
                "'systemSettings':'all','ime':true}"), IN_ALL },
    { CONTAINER("'ui':{'systemSettings':'any'}"), IN_ALL & ~SINCE_11 },
    { CONTAINER("'learningMode':true"), SINCE_08 },
    { CONTAINER("'captureDenials':{'mode':'block'}"), SINCE_08 },
    { CONTAINER("'network':{}"), SINCE_08 },
    { CONTAINER("'filesystem':{}"), SINCE_09 },
    { ON("processcontainer", "'appContainer':{}"), IN_ALIAS },
    { ON("processcontainer", "'appContainer':{},'processContainer':{}"), 0 },
    { SEATBELT("'profileOverride':'p','guiAccess':true,'nestedPty':true,"
               "'keychainAccess':true,'extraMachLookups':['a']"), SINCE_07 },
    { SEATBELT("'launchMethod':'open'"), IN_07 | IN_08 },
    { SEATBELT("'launchMethod':'spawn'"), 0 },
    { ON("seatbelt", "'macos_sandbox':{}"), IN_ALIAS & ~IN_06 },
    { ON("wslc", "'wslc':{}"), SINCE_09 },
    { ON("hyperlight", "'hyperlight':{'runtime':'node'}"), IN_DEV },
    { ON("windows_sandbox", "'windowsSandbox':{'idleTimeout':1}"), IN_DEV },
    { DOC("'test':{'message':'m'}"), IN_DEV },
    { EXPERIMENT(""), IN_08 },
    { EXPERIMENT("'zz':1"), 0 },
    { EXPERIMENT("'telemetry':{'enabled':true},'test':{'message':'m'}"),
      IN_08 },
    { ON("windows_sandbox", "'experimental':{'windows_sandbox':{"
         "'daemonPipeName':'p'}}"), IN_08 },
    { ON("wslc", "'experimental':{'wslc':{'image':'i','portMappings':[{"
         "'windowsPort':1,'containerPort':2}]}}"), IN_08 },
    { ON("seatbelt", "'experimental':{'seatbelt':{}}"), IN_08 },
    { ON("seatbelt", "'seatbelt':{},'experimental':{'seatbelt':{}}"), 0 },
    { EXPERIMENT("'wslc':{}"), 0 },
    /* lifecycle */
    { PHASE("start", ID), SINCE_08 },
    { PHASE("stop", ID), SINCE_08 },
    { PHASE("deprovision", ID), SINCE_08 },
    { PHASE("exec", ID "," RUN), SINCE_08 },
    { PHASE("start", ID ",'correlationVector':'c','experimental':{"
            "'telemetry':{}}"), IN_08 },
    { PHASE("start", ID ",'telemetry':{}"), SINCE_09 },
    { PHASE("exec", ID "," RUN ",'network':{'allowedHosts':['a.b']}"), IN_08 },
    { PROVISION("wslc", ",'network':{'defaultPolicy':'block'}"), IN_08 },
    { PROVISION("wslc", ",'network':{'egress':{}}"), SINCE_08 },
    { PROVISION("wslc", ",'wslc':{'provision':{'image':'i'}}"), SINCE_09 },
    { PROVISION("wslc", ",'wslc':{'provision':{'portMappings':[]}}"),
      SINCE_11 },
    { PROVISION("wslc", ",'experimental':{'wslc':{'provision':{"
                "'image':'i'}}}"), IN_08 },
    { PROVISION("windows_sandbox", ""), CONTRACTS_DEV },
    { PROVISION("isolation_session", ",'network':{'defaultPolicy':'allow',"
                "'allowLocalNetwork':true},'experimental':{"
                "'isolation_session':{'provision':{'appId':'a'}}}"), IN_08 },
    { PROVISION("isolation_session", ",'network':{'defaultPolicy':'block',"
                "'allowLocalNetwork':true}"), 0 },
    { PROVISION("isolation_session", ",'network':{'defaultPolicy':'allow',"
                "'allowLocalNetwork':false}"), 0 },
    { PROVISION("isolation_session", ",'network':{'egress':{"
                "'default':'allow'},'ingress':{'default':'allow',"
                "'hostLoopback':'allow'}}"), SINCE_09 },
};
/* clang-format on */

TEST(each_field_in_each_contract)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (int c = CONTRACT_0_6_0_ALPHA; c <= CONTRACT_1_1_0_C1; c++) {
            struct arena a = { .limit = LIMIT };
            struct request *r = NULL;
            struct err e = { 0 };
            int got = parse_as(&a, (enum contract)c, rows[i].text, &r, &e);

            NOTE(arena_printf(&a, "%s: %s: %s", contract_name(c), rows[i].text,
                              got ? e.msg : "taken"));
            CHECK((got == 0) == ((rows[i].in & IN(c)) != 0));
            arena_drop(&a);
        }
    }
}

static int make(struct arena *a, const char *network, struct policy *p,
                struct err *e)
{
    struct request *r;
    char row[TEXT_MAX];

    (void)snprintf(row, sizeof(row), "{" V "," RUN ",'network':{%s}}", network);
    if (parse_as(a, CONTRACT_0_7_0_ALPHA, row, &r, e) < 0)
        return -1;
    return policy_from_request(a, r, p, e);
}

static void refusal(const char *network, enum err_code code, const char *where)
{
    struct arena a = { .limit = LIMIT };
    struct policy p = { 0 };
    struct err e = { 0 };
    void *bytes;
    size_t len;

    CHECK(make(&a, network, &p, &e) < 0 || policy_check_network(&p, &e) < 0 ||
          backend_check(&backend_native, &p, &e) < 0 ||
          net_compile(&a, &p.net, &bytes, &len, &e) < 0);
    CHECK_INT(e.code, code);
    CHECK_STR(e.where, where);
    arena_drop(&a);
}

TEST(hosts_become_rules)
{
    struct arena a = { .limit = LIMIT };
    struct policy p = { 0 };
    struct err e = { 0 };

    CHECK_INT(make(&a,
                   "'enforcementMode':'both','allowedHosts':['a.example',"
                   "'192.0.2.0/24'],'blockedHosts':['192.0.2.7']",
                   &p, &e),
              0);
    CHECK_INT(p.net.egress_default, NET_DENY);
    CHECK_INT(p.net.nsources, 3);
    CHECK_STR(p.net.source[0].rule->to[0].cidr, "192.0.2.7");
    CHECK_INT(p.net.source[0].action, NET_DENY);
    CHECK_STR(p.net.source[1].rule->to[0].host, "a.example");
    CHECK_STR(p.net.source[2].rule->to[0].cidr, "192.0.2.0/24");
    CHECK_INT(p.nwarnings, 0);
    arena_drop(&a);
}

TEST(a_proxy_is_the_only_way_out)
{
    static const char *const same[] = {
        "'proxy':{'localhost':8080}",
        "'proxy':{'url':'http://127.0.0.1:8080'}",
        "'proxy':{'localhost':8080},'defaultPolicy':'allow'",
    };

    for (size_t i = 0; i < ARRAY_LEN(same); i++) {
        struct arena a = { .limit = LIMIT };
        struct policy p = { 0 };
        struct err e = { 0 };

        CHECK_INT(make(&a, same[i], &p, &e), 0);
        CHECK_INT(policy_check_network(&p, &e), 0);
        CHECK_INT(backend_check(&backend_native, &p, &e), 0);
        CHECK_STR(p.net.proxy_url, "http://127.0.0.1:8080");
        CHECK_INT(p.net.egress_default, NET_DENY);
        CHECK_INT(p.net.nservices, 1);
        CHECK_INT(p.nwarnings, i == 2);
        arena_drop(&a);
    }
}

TEST(the_test_server_is_our_filtering_proxy)
{
    struct arena a = { .limit = LIMIT };
    struct policy p = { 0 };
    struct err e = { 0 };

    CHECK_INT(make(&a,
                   "'proxy':{'builtinTestServer':true},"
                   "'allowedHosts':['a.example']",
                   &p, &e),
              0);
    CHECK_INT(policy_check_network(&p, &e), 0);
    CHECK(p.net.filtering_proxy && !p.net.proxy_url);
    CHECK_INT(p.net.nsources, 1);
    arena_drop(&a);
}

TEST(what_cannot_be_held_is_refused)
{
    refusal("'allowedHosts':['a b']", ERR_MALFORMED_REQUEST,
            "network.allowedHosts[0]");
    refusal("'allowedHosts':['192.0.2.1/24']", ERR_MALFORMED_REQUEST,
            "network.allowedHosts[0]");
    refusal("'allowedHosts':['127.0.0.1']", ERR_POLICY_VALIDATION,
            "network.allowedHosts[0]");
    refusal("'defaultPolicy':'allow','blockedHosts':['a.example']",
            ERR_POLICY_VALIDATION, "network.blockedHosts[0]");
    refusal("'allowLocalNetwork':true", ERR_POLICY_VALIDATION,
            "network.allowLocalNetwork");
    refusal("'proxy':{'url':'http://proxy.example:3128'}",
            ERR_POLICY_VALIDATION, "network.proxy.url");
    refusal("'proxy':{'url':'http://u:p@localhost:3128'}",
            ERR_POLICY_VALIDATION, "network.proxy");
    refusal("'proxy':{'localhost':1},'allowedHosts':['a.example']",
            ERR_POLICY_VALIDATION, "network.proxy");
}

T_MAIN()
