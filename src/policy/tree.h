/* tree.h - changes to a JSON tree, for whoever rewrites a document.
 *
 * For lack of memory `failed` is set and the value is NULL, with which every
 * change does nothing, so that a writer checks once, at the end. */
#ifndef MXC_POLICY_TREE_H
#define MXC_POLICY_TREE_H

#include "base/json.h"

struct tree {
    struct arena *arena;
    bool failed;
};

/* The member of that name, or NULL. */
struct json *tree_find(struct json *object, const char *key);

struct json *tree_new(struct tree *t, enum json_type type);
/* `text` is borrowed. */
struct json *tree_string(struct tree *t, const char *text);

/* Append to an array, or to an object under a key. */
void tree_append(struct json *list, struct json *value);
void tree_put(struct json *object, const char *key, struct json *value);
/* Behind the member of that name, or as the last. */
void tree_put_behind(struct json *object, const char *behind, const char *key,
                     struct json *value);

/* Take a member out; NULL when there is none. */
struct json *tree_cut(struct json *object, const char *key);

void tree_rename(struct json *object, const char *from, const char *to);
void tree_set_string(struct json *value, const char *text);

#endif
