/* test_tar.c - headers of tar archives: what is written is read again, what tar
 * programs write is read, and what is none is refused. */
#include "t.h"

#include "base/scoped.h"
#include "copy/tar.h"

static struct tar_entry entry;

static const char *told(const char *why)
{
    return why ? why : "fine";
}

static unsigned char head[TAR_HEAD];

/* Read headers as mxc-copy does; NULL, or why not. */
static const char *read_headers(const unsigned char *p, size_t len,
                                struct tar_entry *out)
{
    tar_reset(out);
    for (size_t at = 0; at < len;) {
        const char *why = tar_decode(out, p + at);

        at += TAR_BLOCK;
        if (why)
            return why;
        if (out->kind != TAR_PAX && out->kind != TAR_LONG_NAME &&
            out->kind != TAR_LONG_LINK)
            return at == len ? NULL : "something follows";
        CHECK(at + (size_t)out->extra <= len);
        why =
            tar_extra(out, out->kind, (const char *)p + at, (size_t)out->extra);
        if (why)
            return why;
        at += (size_t)out->extra + tar_padding(out->extra);
    }
    return "nothing is there";
}

static void fill(enum tar_kind kind, const char *name, const char *link,
                 int64_t size, int64_t mtime, unsigned mode)
{
    tar_reset(&entry);
    entry.kind = kind;
    (void)snprintf(entry.name, sizeof(entry.name), "%s", name);
    (void)snprintf(entry.link, sizeof(entry.link), "%s", link);
    entry.size = size;
    entry.mtime = mtime;
    entry.mode = mode;
}

static const char *repeated(char c, size_t n)
{
    static char text[2][TAR_NAME];
    static unsigned which;
    char *out = text[which++ % 2];

    memset(out, c, n);
    out[n] = '\0';
    return out;
}

TEST(what_is_written_is_read)
{
    static const size_t lengths[] = { 1, 99, 100, 101, 155, 256, 1000, 4095 };

    for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
        struct tar_entry got;
        const size_t n = lengths[i];
        size_t len;

        fill(TAR_SYMLINK, repeated('n', n), repeated('l', n), 0, 1234567890,
             0777);
        len = tar_encode(&entry, head);
        CHECK_INT(len % TAR_BLOCK, 0);
        CHECK(len <= sizeof(head));
        CHECK_STR(told(read_headers(head, len, &got)), "fine");
        CHECK_INT(got.kind, TAR_SYMLINK);
        CHECK_STR(got.name, entry.name);
        CHECK_STR(got.link, entry.link);
        CHECK_INT(got.mtime, 1234567890);
        CHECK_INT(got.mode, 0777);
    }
}

TEST(sizes)
{
    static const int64_t sizes[] = {
        0, 1, 511, 512, 077777777777, 0100000000000, 1ll << 40, INT64_MAX / 2
    };

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct tar_entry got;
        size_t len;

        fill(TAR_FILE, "f", "", sizes[i], 0, 0644);
        len = tar_encode(&entry, head);
        CHECK_STR(told(read_headers(head, len, &got)), "fine");
        CHECK_INT(got.size, sizes[i]);
        CHECK_INT((got.size + (int64_t)tar_padding(got.size)) % TAR_BLOCK, 0);
    }
}

/* A header by hand, with its sum. */
static void header(unsigned char *p, char type, const char *name,
                   const char *size)
{
    unsigned sum = 0;

    memset(p, 0, TAR_BLOCK);
    memcpy(p, name, strlen(name));
    memcpy(p + 100, "0000644", 8);
    memcpy(p + 124, size, strlen(size));
    memcpy(p + 136, "00000000000", 12);
    p[156] = (unsigned char)type;
    memset(p + 148, ' ', 8);
    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += p[i];
    (void)snprintf((char *)p + 148, 8, "%06o", sum);
}

TEST(what_others_write)
{
    static const struct {
        const char *name, *size;
        int64_t want;
        enum tar_kind kind;
        char type;
    } rows[] = {
        { "f", "00000000017", 15, TAR_FILE, '0' },
        { "f", "         17 ", 15, TAR_FILE, '\0' },
        { "f", "17", 15, TAR_FILE, '7' },
        { "d/", "00000000000", 0, TAR_DIR, '0' },
        /* A directory's size means nothing. */
        { "d", "00000000017", 0, TAR_DIR, '5' },
        { "n", "00000000000", 0, TAR_DEVICE, '3' },
        { "n", "00000000000", 0, TAR_DEVICE, '6' },
        { "v", "00000000000", 0, TAR_IGNORED, 'V' },
        { "f", "\x80\0\0\0\0\0\0\0\0\0\0\x11", 0, TAR_FILE, '0' },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        header(head, rows[i].type, rows[i].name, rows[i].size);
        tar_reset(&entry);
        CHECK_STR(told(tar_decode(&entry, head)), "fine");
        CHECK_INT(entry.kind, rows[i].kind);
        CHECK_INT(entry.size, rows[i].want);
    }
    memset(head, 0, TAR_BLOCK);
    CHECK_STR(told(tar_decode(&entry, head)), "fine");
    CHECK_INT(entry.kind, TAR_END);
}

TEST(a_large_size_as_gnu_says_it)
{
    static const struct {
        unsigned char bytes[12];
        int64_t want; /* -1: refused */
    } rows[] = {
        { { 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2 }, 258 },
        { { 0x80, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0 }, 2ll << 48 },
        { { 0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, -1 },
        { { 0xbf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
            0xff },
          -1 },
        /* Below zero: no file is so. */
        { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
            0xff },
          0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        unsigned sum = 0;

        header(head, '0', "f", "0");
        memcpy(head + 124, rows[i].bytes, 12);
        memset(head + 148, ' ', 8);
        for (size_t k = 0; k < TAR_BLOCK; k++)
            sum += head[k];
        (void)snprintf((char *)head + 148, 8, "%06o", sum);
        tar_reset(&entry);
        CHECK_STR(told(tar_decode(&entry, head)),
                  rows[i].want < 0 ? "a header has a number that is none"
                                   : "fine");
        if (rows[i].want >= 0)
            CHECK_INT(entry.size, rows[i].want);
    }
}

TEST(what_is_no_header)
{
    static const char wrong[] = "a header's sum is wrong";

    header(head, '0', "f", "00000000017");
    head[0] ^= 1;
    CHECK_STR(told(tar_decode(&entry, head)), wrong);
    memset(head, 'x', TAR_BLOCK);
    CHECK_STR(told(tar_decode(&entry, head)), wrong);
    header(head, '0', "f", "0000x");
    tar_reset(&entry);
    CHECK_STR(told(tar_decode(&entry, head)),
              "a header has a number that is none");
    header(head, 'S', "f", "00000000017");
    CHECK_STR(told(tar_decode(&entry, head)),
              "an entry is of a type that is not known here");
    header(head, '0', "", "00000000017");
    tar_reset(&entry);
    CHECK_STR(told(tar_decode(&entry, head)), "an entry has no name");
    header(head, 'x', "f", "00000400000");
    CHECK_STR(told(tar_decode(&entry, head)), "a header is too long");
}

TEST(extended_headers)
{
    static const struct {
        const char *text;
        const char *why;
        const char *name;
        int64_t size, mtime;
    } rows[] = {
        { "9 path=a\n", NULL, "a", 0, 0 },
        { "9 path=a\n12 path=b/c\n", NULL, "b/c", 0, 0 },
        { "11 size=77\n", NULL, "", 77, 0 },
        { "20 mtime=1234.5678\n", "an extended header is broken", "", 0, 0 },
        { "19 mtime=1234.5678\n", NULL, "", 0, 1234 },
        { "12 mtime=-5\n", NULL, "", 0, 0 },
        { "20 SCHILY.xattr.a=b\n", NULL, "", 0, 0 },
        { "13 uname=bob\n", NULL, "", 0, 0 },
        { "path=a\n", "an extended header is broken", "", 0, 0 },
        { "9 path=a", "an extended header is broken", "", 0, 0 },
        { "99 path=a\n", "an extended header is broken", "", 0, 0 },
        { "0 path=a\n", "an extended header is broken", "", 0, 0 },
        { "8 path a\n", "an extended header is broken", "", 0, 0 },
        { "4 =\n\n", "an extended header is broken", "", 0, 0 },
        { "8 path=\n", "a name is empty, too long, or has a NUL in it", "", 0,
          0 },
        { "10 size=x\n", "a header has a number that is none", "", 0, 0 },
        { "10 size=-\n", NULL, "", 0, 0 },
        { "29 size=99999999999999999999\n",
          "a header has a number that is none", "", 0, 0 },
        { "36 size=999999999999999999999999999\n", "a number is too long", "",
          0, 0 },
        { "21 GNU.sparse.major=1\n", "an extended header is broken", "", 0, 0 },
        { "22 GNU.sparse.major=1\n",
          "files with holes are packed in a way that is not known here", "", 0,
          0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        NOTE(rows[i].text);
        tar_reset(&entry);
        CHECK_STR(told(tar_extra(&entry, TAR_PAX, rows[i].text,
                                 strlen(rows[i].text))),
                  told(rows[i].why));
        if (rows[i].why)
            continue;
        CHECK_STR(entry.name, rows[i].name);
        CHECK_INT(entry.size, rows[i].size);
        CHECK_INT(entry.mtime, rows[i].mtime);
    }
}

/* Each header's own length is not that of the file. */
TEST(several_headers_of_one_entry)
{
    tar_reset(&entry);
    header(head, 'x', "x", "00000000013");
    CHECK_STR(told(tar_decode(&entry, head)), "fine");
    CHECK_INT(entry.extra, 11);
    CHECK_STR(told(tar_extra(&entry, TAR_PAX, "11 size=77\n", 11)), "fine");
    header(head, 'L', "x", "00000000005");
    CHECK_STR(told(tar_decode(&entry, head)), "fine");
    CHECK_INT(entry.extra, 5);
    CHECK_STR(told(tar_extra(&entry, TAR_LONG_NAME, "long", 5)), "fine");
    header(head, '0', "x", "00000000001");
    CHECK_STR(told(tar_decode(&entry, head)), "fine");
    CHECK_STR(entry.name, "long");
    CHECK_INT(entry.size, 77);
    CHECK_INT(entry.extra, 0);
}

TEST(names_in_two_parts)
{
    unsigned sum = 0;

    header(head, '0', "file", "00000000000");
    memcpy(head + 257,
           "ustar\0"
           "00",
           8);
    memcpy(head + 345, "some/dir", 8);
    memset(head + 148, ' ', 8);
    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += head[i];
    (void)snprintf((char *)head + 148, 8, "%06o", sum);
    tar_reset(&entry);
    CHECK_STR(told(tar_decode(&entry, head)), "fine");
    CHECK_STR(entry.name, "some/dir/file");
    /* What an extended header said counts more. */
    tar_reset(&entry);
    CHECK_STR(told(tar_extra(&entry, TAR_PAX, "12 path=b/c\n", 12)), "fine");
    CHECK_STR(told(tar_decode(&entry, head)), "fine");
    CHECK_STR(entry.name, "b/c");
    /* Of the next entry nothing is left of it. */
    tar_reset(&entry);
    CHECK_STR(told(tar_decode(&entry, head)), "fine");
    CHECK_STR(entry.name, "some/dir/file");
}

T_MAIN()
