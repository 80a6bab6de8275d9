/* tree.c - see tree.h. */
#include "policy/tree.h"

#include <string.h>

static bool is_named(const struct json *v, const char *key)
{
    return v->key && v->key_len == strlen(key) &&
           memcmp(v->key, key, v->key_len) == 0;
}

struct json *tree_find(struct json *object, const char *key)
{
    if (!object || object->type != JSON_OBJECT)
        return NULL;
    for (struct json *c = object->first; c; c = c->next)
        if (is_named(c, key))
            return c;
    return NULL;
}

struct json *tree_new(struct tree *t, enum json_type type)
{
    struct json *v = arena_alloc(t->arena, sizeof(*v));

    if (v)
        *v = (struct json){ .type = type };
    else
        t->failed = true;
    return v;
}

void tree_set_string(struct json *value, const char *text)
{
    if (!value || !text)
        return;
    value->type = JSON_STRING;
    value->text = text;
    value->len = (uint32_t)strlen(text);
}

struct json *tree_string(struct tree *t, const char *text)
{
    struct json *v = tree_new(t, JSON_STRING);

    tree_set_string(v, text);
    return v;
}

void tree_append(struct json *list, struct json *value)
{
    struct json **at;

    if (!list || !value)
        return;
    for (at = &list->first; *at; at = &(*at)->next)
        ;
    value->next = NULL;
    *at = value;
    list->len++;
}

static void name(struct json *v, const char *key)
{
    if (!v)
        return;
    v->key = key;
    v->key_len = (uint32_t)strlen(key);
}

void tree_put(struct json *object, const char *key, struct json *value)
{
    name(value, key);
    tree_append(object, value);
}

void tree_put_behind(struct json *object, const char *behind, const char *key,
                     struct json *value)
{
    struct json *at = tree_find(object, behind);

    if (!at || !value) {
        tree_put(object, key, value);
        return;
    }
    name(value, key);
    value->next = at->next;
    at->next = value;
    object->len++;
}

struct json *tree_cut(struct json *object, const char *key)
{
    struct json **at, *found;

    if (!object || object->type != JSON_OBJECT)
        return NULL;
    for (at = &object->first; *at && !is_named(*at, key);)
        at = &(*at)->next;
    found = *at;
    if (!found)
        return NULL;
    *at = found->next;
    object->len--;
    return found;
}

void tree_rename(struct json *object, const char *from, const char *to)
{
    name(tree_find(object, from), to);
}
