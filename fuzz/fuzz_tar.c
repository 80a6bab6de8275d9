/* fuzz_tar.c - any bytes as the headers of a tar archive, as mxc-copy reads
 * them: refused with words, or names and numbers in their bounds, and what is
 * written of them reads the same.
 *
 * The sum of each header is put in place. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "copy/tar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int ok)
{
    if (!ok)
        abort();
}

static void put_sum(unsigned char *p)
{
    unsigned sum = 0;

    memset(p + 148, ' ', 8);
    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += p[i];
    (void)snprintf((char *)p + 148, 8, "%06o", sum);
}

static int is_about_next(enum tar_kind k)
{
    return k == TAR_PAX || k == TAR_LONG_NAME || k == TAR_LONG_LINK;
}

static void write_and_read(const struct tar_entry *e)
{
    static unsigned char head[TAR_HEAD];
    static struct tar_entry got;
    size_t len = tar_encode(e, head);

    must(len <= sizeof(head) && len % TAR_BLOCK == 0);
    tar_reset(&got);
    for (size_t at = 0; at < len;) {
        must(tar_decode(&got, head + at) == NULL);
        at += TAR_BLOCK;
        if (!is_about_next(got.kind))
            break;
        must(tar_extra(&got, got.kind, (const char *)head + at,
                       (size_t)got.extra) == NULL);
        at += (size_t)got.extra + tar_padding(got.extra);
    }
    must(strcmp(got.name, e->name) == 0 && strcmp(got.link, e->link) == 0);
    must(got.kind == e->kind && got.mode == e->mode);
    must(got.size == (e->kind == TAR_FILE ? e->size : 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tar_entry e;
    static unsigned char block[TAR_BLOCK];

    tar_reset(&e);
    while (size >= TAR_BLOCK) {
        memcpy(block, data, TAR_BLOCK);
        data += TAR_BLOCK;
        size -= TAR_BLOCK;
        put_sum(block);
        if (tar_decode(&e, block))
            return 0;
        must(e.size >= 0 && e.mode <= 07777);
        must(strlen(e.name) < TAR_NAME && strlen(e.link) < TAR_NAME);
        if (is_about_next(e.kind)) {
            size_t len = (size_t)e.extra < size ? (size_t)e.extra : size;

            must(e.extra >= 0 && e.extra <= TAR_EXTRA);
            if (tar_extra(&e, e.kind, (const char *)data, len))
                return 0;
            data += len;
            size -= len;
            continue;
        }
        if (e.kind == TAR_FILE || e.kind == TAR_DIR || e.kind == TAR_SYMLINK ||
            e.kind == TAR_LINK)
            write_and_read(&e);
        tar_reset(&e);
    }
    return 0;
}
