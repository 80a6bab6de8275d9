/* json_print.c - a tree as text again, for people to read. */
#include "base/json.h"

#include "base/buf.h"

static void new_line(struct buf *b, unsigned depth)
{
    buf_putc(b, '\n');
    while (depth-- > 0)
        buf_puts(b, "  ");
}

/* As deep as the reader lets a tree be. */
static void print(struct buf *b, const struct json *v, unsigned depth)
{
    bool is_object = v->type == JSON_OBJECT;

    if (v->type == JSON_NULL) {
        buf_puts(b, "null");
        return;
    }
    if (v->type == JSON_BOOL) {
        buf_puts(b, v->truth ? "true" : "false");
        return;
    }
    if (v->type == JSON_NUMBER) {
        buf_add(b, v->text, v->len);
        return;
    }
    if (v->type == JSON_STRING) {
        buf_json_n(b, v->text, v->len);
        return;
    }
    buf_putc(b, is_object ? '{' : '[');
    for (const struct json *c = v->first; c; c = c->next) {
        new_line(b, depth + 1);
        if (is_object) {
            buf_json_n(b, c->key, c->key_len);
            buf_puts(b, ": ");
        }
        print(b, c, depth + 1);
        if (c->next)
            buf_putc(b, ',');
    }
    if (v->first)
        new_line(b, depth);
    buf_putc(b, is_object ? '}' : ']');
}

void json_print(struct buf *b, const struct json *v)
{
    print(b, v, 0);
    buf_putc(b, '\n');
}
