/* cmd_image.c - mxc image: the store of roots (image/image.h). */
#include <stdio.h>
#include <string.h>

#include "cli/image_download.h"
#include "cli/store_verbs.h"

const char *const image_verbs[] = { "import", "download", "list", "show",
                                    "verify", "rm",       NULL };

static void put_size(struct buf *b, uint64_t bytes)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
    size_t u = 0;
    uint64_t tenths = bytes * 10;

    while (tenths >= 10240 && u + 1 < ARRAY_LEN(units)) {
        tenths /= 1024;
        u++;
    }
    if (u == 0)
        buf_printf(b, "%llu B", (unsigned long long)bytes);
    else
        buf_printf(b, "%llu.%llu %s", (unsigned long long)tenths / 10,
                   (unsigned long long)tenths % 10, units[u]);
}

static void json_image(struct buf *b, const struct image_store *s,
                       const struct image *i)
{
    buf_puts(b, "{\"name\":");
    buf_json(b, i->name);
    buf_printf(b, ",\"digest\":\"sha256:%s\",\"entries\":%llu,\"bytes\":%llu",
               i->digest, (unsigned long long)i->entries,
               (unsigned long long)i->bytes);
    buf_puts(b, ",\"imported\":\"");
    store_put_time(b, i->sealed);
    buf_puts(b, "\",\"path\":");
    {
        char path[PATH_MAX + 128];

        (void)snprintf(path, sizeof(path), "%s/trees/%s/root", s->path,
                       i->digest);
        buf_json(b, path);
    }
    buf_putc(b, '}');
}

static void text_image(struct buf *b, const struct image_store *s,
                       const struct image *i)
{
    buf_printf(b,
               "name      %s\ndigest    sha256:%s\nentries   %llu\n"
               "size      ",
               i->name, i->digest, (unsigned long long)i->entries);
    put_size(b, i->bytes);
    buf_puts(b, "\nimported  ");
    store_put_time(b, i->sealed);
    buf_puts(b, "\ntree      ");
    buf_shown(b, s->path);
    buf_printf(b, "/trees/%s/root\n", i->digest);
}

static int missing(const char *name, struct err *e)
{
    err_set(e, ERR_POLICY_VALIDATION, "there is no image '%s'", name);
    return err_hint(e, "mxc image list; or mxc image import %s TARBALL|DIR",
                    name);
}

/* Open for looking and find the image. */
static int find(const struct store_call *k, struct image_store *s,
                struct image *out, struct err *e)
{
    int r;

    if (image_check_name(k->name, e) < 0)
        return -1;
    r = image_open(s, &k->at, e);
    if (r == 0) {
        r = image_find(s, k->name, out, e);
        if (r != 0)
            image_close(s);
    }
    return r == 1 ? missing(k->name, e) : r;
}

static void put_notes(const struct store_call *k,
                      const struct unpack_report *told)
{
    static const struct {
        const char *what, *kind;
    } words[NOTE_KINDS] = {
        [NOTE_DEVICE] = { "devices, pipes and sockets were left out",
                          "device" },
        [NOTE_SETUID] = { "setuid and setgid bits were taken away", "setuid" },
        [NOTE_XATTR] = { "ACLs, capabilities or other attributes of files "
                         "were not kept",
                         "attribute" },
        [NOTE_MOUNT] = { "other filesystems mounted there were left empty",
                         "mount" },
        [NOTE_LINK] = { "links that lead out were left out", "link" },
    };
    bool is_first = true;

    buf_puts(k->json, ",\"notes\":[");
    for (size_t i = 0; i < NOTE_KINDS; i++) {
        const struct unpack_note *n = &told->note[i];

        if (!n->count)
            continue;
        buf_printf(k->text, "note: %s: %llu, such as ", words[i].what,
                   (unsigned long long)n->count);
        buf_shown(k->text, n->first);
        buf_putc(k->text, '\n');
        buf_printf(k->json,
                   "%s{\"kind\":\"%s\",\"message\":\"%s\","
                   "\"count\":%llu,\"first\":",
                   is_first ? "" : ",", words[i].kind, words[i].what,
                   (unsigned long long)n->count);
        buf_json(k->json, n->first);
        buf_putc(k->json, '}');
        is_first = false;
    }
    buf_puts(k->json, "]");
}

static void put_imported(const struct store_call *k,
                         const struct image_store *s, const struct image *image,
                         const struct unpack_report *told)
{
    text_image(k->text, s, image);
    buf_puts(k->json, "\"outcome\":\"imported\",\"image\":");
    json_image(k->json, s, image);
    put_notes(k, told);
}

static int verb_import(struct store_call *k, struct err *e)
{
    struct unpack_report told = { 0 };
    struct image_store s;
    struct image image = { 0 };
    int r;

    if (image_check_name(k->name, e) < 0 ||
        image_open_locked(&s, &k->at, e) < 0)
        return -1;
    r = image_import(&s, k->name, k->source, &image, &told, e);
    if (r == 0)
        put_imported(k, &s, &image, &told);
    image_close(&s);
    return r;
}

static int verb_download(struct store_call *k, struct err *e)
{
    struct unpack_report told = { 0 };
    struct image_store s;
    struct image image = { 0 };
    int r;

    if (image_check_name(k->name, e) < 0 ||
        image_open_locked(&s, &k->at, e) < 0)
        return -1;
    r = image_download(&k->c->arena, &s, k->name, k->c->template, &image, &told,
                       e);
    if (r == 0)
        put_imported(k, &s, &image, &told);
    image_close(&s);
    return r;
}

static void list_row(const struct store_call *k, const struct image_store *s,
                     const char *name, bool is_first)
{
    struct image image;
    struct err e;

    buf_puts(k->json, is_first ? "" : ",");
    if (image_find(s, name, &image, &e) == 0) {
        buf_printf(k->text, "%-24s %.12s  %7llu entries  ", name, image.digest,
                   (unsigned long long)image.entries);
        put_size(k->text, image.bytes);
        json_image(k->json, s, &image);
    } else {
        buf_printf(k->text, "%-24s DAMAGED: ", name);
        buf_shown(k->text, e.msg);
        buf_puts(k->json, "{\"name\":");
        buf_json(k->json, name);
        buf_puts(k->json, ",\"damaged\":");
        buf_json(k->json, e.msg);
        buf_putc(k->json, '}');
    }
    buf_putc(k->text, '\n');
}

static int verb_list(struct store_call *k, struct err *e)
{
    struct image_store s;
    const char *const *name;
    size_t n = 0;
    int r = image_open(&s, &k->at, e);

    if (r == 0) {
        r = image_names(&s, &k->c->arena, &name, &n, e);
        if (r < 0)
            image_close(&s);
    }
    if (r < 0)
        return -1;
    buf_puts(k->json, "\"outcome\":\"listed\",\"images\":[");
    for (size_t i = 0; i < n; i++)
        list_row(k, &s, name[i], i == 0);
    buf_puts(k->json, "]");
    if (r == 0)
        image_close(&s);
    if (n == 0)
        buf_puts(k->text, "no images\n");
    return 0;
}

static int verb_show(struct store_call *k, struct err *e)
{
    struct image_store s;
    struct image image = { 0 };

    if (find(k, &s, &image, e) < 0)
        return -1;
    text_image(k->text, &s, &image);
    buf_puts(k->json, "\"outcome\":\"shown\",\"image\":");
    json_image(k->json, &s, &image);
    image_close(&s);
    return 0;
}

static int verb_verify(struct store_call *k, struct err *e)
{
    struct image_store s;
    struct image image = { 0 };
    int r;

    if (find(k, &s, &image, e) < 0)
        return -1;
    r = image_verify(&s, &image, e);
    if (r == 0) {
        buf_printf(k->text, "%s is what was imported: sha256:%s\n", k->name,
                   image.digest);
        buf_puts(k->json, "\"outcome\":\"verified\",\"image\":");
        json_image(k->json, &s, &image);
    }
    image_close(&s);
    return r;
}

static int verb_rm(struct store_call *k, struct err *e)
{
    struct image_store s;
    int r;

    if (image_check_name(k->name, e) < 0)
        return -1;
    /* What is not there is not made in order to be cleaned. */
    r = image_open(&s, &k->at, e);
    if (r == 0) {
        image_close(&s);
        r = image_open_locked(&s, &k->at, e);
    }
    if (r == 0) {
        r = image_remove(&s, k->name, e);
        image_close(&s);
    }
    if (r == 1)
        return missing(k->name, e);
    buf_printf(k->text, "removed %s\n", k->name);
    buf_puts(k->json, "\"outcome\":\"removed\"");
    return r;
}

static const struct store_verb verbs[] = {
    { verb_import, 2, "mxc image import NAME TARBALL|DIR" },
    { verb_download, 1, "mxc image download DISTRIBUTION/RELEASE",
      .takes_template = true },
    { verb_list, 0, "mxc image list" },
    { verb_show, 1, "mxc image show NAME" },
    { verb_verify, 1, "mxc image verify NAME" },
    { verb_rm, 1, "mxc image rm NAME" },
};

int cmd_image(int argc, char **argv)
{
    static const struct store_command command = {
        .name = "image",
        .verbs = image_verbs,
        .verb = verbs,
        .hint = "import, download, list, show, verify or rm",
    };

    return store_command(&command, argc, argv);
}
