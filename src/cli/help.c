/* help.c - help, from the same tables that are parsed. */
#include <string.h>

#include "cli/cli.h"

void cli_print(FILE *to, const struct buf *b)
{
    if (b->len)
        (void)fwrite(b->data, 1, b->len, to);
    (void)fflush(to);
}

void help_main(FILE *to)
{
    (void)fputs(
        "mxc runs code that you do not trust, behind walls that one policy "
        "describes.\n\n"
        "usage: mxc COMMAND [OPTION...]\n\n", to);
    for (const struct command *c = commands; c->name; c++)
        (void)fprintf(to, "  %-9s %s\n", c->name, c->summary);
    (void)fputs(
        "\nexamples:\n"
        "  mxc run -- ls /                      nothing of yours, no "
        "network\n"
        "  mxc run --rw . -- python3 test.py    may write this directory\n"
        "  mxc run --tools --rw . --deny .env -- npm test\n"
        "  mxc run policy.json                  what an MXC request says\n"
        "  mxc explain --rw . -- make           what would be enforced, "
        "and how\n"
        "\n`mxc COMMAND --help` tells more; `mxc --version` prints the "
        "version.\n", to);
}

static void print_option(FILE *to, const struct option_row *o)
{
    char left[64];
    size_t width = 30, at = 0;
    const char *doc = o->doc;

    (void)snprintf(left, sizeof(left), "%c%c%s --%s%s%s",
                   o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
                   o->letter ? "," : " ", o->name, o->arg ? " " : "",
                   o->arg ? o->arg : "");
    (void)fprintf(to, "  %-28s", left);
    if (strlen(left) > 27)
        (void)fprintf(to, "\n%30s", "");
    /* Wrap the sentence at 79 columns. */
    while (*doc) {
        size_t n = strcspn(doc, " ");

        if (at && width + at + n + 1 > 79) {
            (void)fprintf(to, "\n%30s", "");
            at = 0;
        }
        (void)fprintf(to, "%s%.*s", at ? " " : "", (int)n, doc);
        at += n + (at != 0);
        doc += n + (doc[n] == ' ');
    }
    (void)fputc('\n', to);
}

void help_command(FILE *to, const struct command *cmd)
{
    (void)fprintf(to, "usage: mxc %s %s\n\n%s\n\noptions:\n", cmd->name,
                  cmd->args, cmd->summary);
    for (const struct option_row *o = option_rows; o->name; o++)
        if (o->id == ID_HELP || o->groups & cmd->groups)
            print_option(to, o);
    if (cmd->help)
        (void)fprintf(to, "\n%s", cmd->help);
    (void)fflush(to);
}
