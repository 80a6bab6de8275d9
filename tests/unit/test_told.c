/* test_told.c - the table of what a report has told: whatever the socket has
 * room for, and however much there is, nothing is counted twice or lost
 * without a word. */
#include "broker/parts.h"

#include "t.h"

enum { KEYS = 64, MOST = 4096 };

/* The other end: what it would know. */
static struct {
    int room;      /* records that go out before it is full; -1: always */
    int waits;     /* how often it was waited for */
    int longest;   /* and how long at most */
    size_t n;      /* records */
    uint64_t lost; /* without a name */
    uint64_t lost_allowed;
    bool is_known[MOST];
    uint64_t count[MOST];
} heard;

static bool hear(const struct broker_seen *r, int wait_ms)
{
    if (heard.room == 0) {
        heard.waits += wait_ms > 0;
        if (wait_ms > heard.longest)
            heard.longest = wait_ms;
        return false;
    }
    heard.room -= heard.room > 0;
    heard.n++;
    if (!r->key) {
        CHECK(r->count > 0);
        *(r->is_allowed ? &heard.lost_allowed : &heard.lost) += r->count;
        return true;
    }
    CHECK(r->key < MOST);
    /* A record without a name is of something that has one. */
    CHECK(r->op || heard.is_known[r->key]);
    CHECK(r->count > 0);
    heard.is_known[r->key] = true;
    heard.count[r->key] += r->count;
    return true;
}

static void happen(struct told *t, uint64_t key, bool is_allowed)
{
    struct broker_seen r = { .key = key, .op = 1, .is_allowed = is_allowed };

    if (told_count(t, key, is_allowed))
        told_tell(t, &r);
}

static struct told *begin(int room, bool is_patient)
{
    struct told *t = told_create(hear, KEYS, is_patient);

    CHECK(t != NULL);
    memset(&heard, 0, sizeof(heard));
    heard.room = room;
    return t;
}

static uint64_t sum(void)
{
    uint64_t n = heard.lost + heard.lost_allowed;

    for (size_t i = 0; i < MOST; i++)
        n += heard.count[i];
    return n;
}

TEST(at_powers_of_two_and_at_the_end)
{
    struct told *t = begin(-1, false);

    for (int i = 0; i < 1000; i++)
        happen(t, 7, false);
    CHECK_INT(heard.n, 10); /* 1, 2, 4, ... 512 */
    CHECK_INT(heard.count[7], 512);
    told_settle(t, 0);
    CHECK_INT(heard.count[7], 1000);
    told_settle(t, 0);
    CHECK_INT(heard.n, 11);
    CHECK_INT(sum(), 1000);
    told_destroy(t);
}

TEST(without_room_nothing_is_forgotten)
{
    struct told *t = begin(1, false);

    for (int i = 0; i < 5; i++)
        happen(t, 1, false);
    CHECK_INT(heard.count[1], 1);
    heard.room = -1;
    told_settle(t, 0);
    CHECK_INT(heard.count[1], 5);
    told_destroy(t);
}

/* The name itself found no room: the next time it does. */
TEST(a_name_is_told_when_there_is_room)
{
    struct told *t = begin(0, false);

    for (int i = 0; i < 6; i++)
        happen(t, 1, false);
    heard.room = -1;
    happen(t, 1, false);
    CHECK_INT(heard.count[1], 7);
    CHECK_INT(heard.lost, 0);
    told_destroy(t);
}

TEST(a_name_that_never_found_room_is_a_number)
{
    struct told *t = begin(0, false);

    for (int i = 0; i < 3; i++)
        happen(t, 1, false);
    happen(t, 2, true);
    heard.room = -1;
    told_settle(t, 0);
    CHECK_INT(heard.lost, 3);
    CHECK_INT(heard.lost_allowed, 1);
    told_destroy(t);
}

TEST(what_has_no_name_is_a_number)
{
    struct told *t = begin(0, false);

    told_lose(t, false);
    told_lose(t, false);
    told_lose(t, true);
    CHECK(told_is_stale(t));
    heard.room = -1;
    told_refresh(t);
    CHECK_INT(heard.lost, 2);
    CHECK_INT(heard.lost_allowed, 1);
    CHECK(!told_is_stale(t));
    told_destroy(t);
}

/* It used to end the report. */
TEST(a_full_table_begins_anew)
{
    struct told *t = begin(-1, false);

    for (int round = 0; round < 3; round++)
        for (uint64_t key = 1; key < MOST; key++)
            happen(t, key, key & 1);
    told_settle(t, 0);
    CHECK_INT(sum(), 3 * (MOST - 1));
    for (uint64_t key = 1; key < MOST; key++)
        CHECK_INT(heard.count[key], 3);
    told_destroy(t);
}

/* As far as there is room, and at no time twice. */
TEST(what_waits_is_told_in_between)
{
    struct told *t = begin(-1, false);

    for (int i = 0; i < 1000; i++)
        happen(t, 7, false);
    CHECK(told_is_stale(t));
    told_refresh(t);
    CHECK_INT(heard.count[7], 1000);
    CHECK(!told_is_stale(t));
    told_refresh(t);
    CHECK_INT(heard.n, 11);
    for (uint64_t key = 1; key < 40; key++)
        for (int i = 0; i < 7; i++)
            happen(t, key, false);
    heard.room = 5;
    told_refresh(t);
    CHECK(told_is_stale(t));
    CHECK_INT(heard.waits, 0);
    heard.room = -1;
    told_refresh(t);
    CHECK_INT(heard.lost, 0);
    CHECK_INT(sum(), 1000 + 39 * 7);
    told_destroy(t);
}

/* Its number is told in time, and its name when it happens again. */
TEST(a_name_that_found_no_room_is_told_later)
{
    struct told *t = begin(0, false);

    for (int i = 0; i < 3; i++)
        happen(t, 1, false);
    told_refresh(t);
    CHECK(told_is_stale(t));
    heard.room = -1;
    told_refresh(t);
    CHECK_INT(heard.lost, 3);
    CHECK(!told_is_stale(t));
    happen(t, 1, false);
    CHECK_INT(heard.count[1], 1);
    CHECK(heard.is_known[1]);
    told_destroy(t);
}

static uint32_t next(uint32_t *x, uint32_t below)
{
    *x ^= *x << 13;
    *x ^= *x >> 17;
    *x ^= *x << 5;
    return *x % below;
}

/* Random room, and a table that is too small by far. */
TEST(all_is_told_or_counted)
{
    struct told *t;
    uint64_t n = 0;
    uint32_t x = 88172645;

    for (uint32_t round = 0; round < 200; round++) {
        t = begin(0, round & 1);
        n = 0;
        for (int i = 0; i < 500; i++, n++) {
            if (next(&x, 4) == 0)
                heard.room = (int)next(&x, 5);
            happen(t, 1 + next(&x, round + 1), next(&x, 2));
            if (next(&x, 16) == 0)
                told_refresh(t);
        }
        heard.room = -1;
        told_settle(t, 0);
        CHECK_INT(sum(), n);
        told_destroy(t);
    }
}

TEST(waiting_is_for_the_patient_and_ends)
{
    struct told *t = begin(0, false);

    for (uint64_t key = 1; key < 40; key++)
        happen(t, key, false);
    CHECK_INT(heard.waits, 0);
    told_destroy(t);
    /* Once, and no more until there was room again. */
    t = begin(0, true);
    for (uint64_t key = 1; key < 40; key++)
        happen(t, key, true);
    CHECK_INT(heard.waits, 1);
    heard.room = 2;
    for (uint64_t key = 1; key < 40; key++)
        happen(t, key, true);
    CHECK_INT(heard.waits, 2);
    CHECK(heard.longest <= 50);
    told_destroy(t);
}

TEST(the_end_waits_no_longer_than_it_may)
{
    struct told *t = begin(-1, false);

    for (uint64_t key = 1; key < 40; key++)
        for (int i = 0; i < 7; i++)
            happen(t, key, false);
    heard.room = 0;
    told_settle(t, 300);
    CHECK(heard.waits > 0);
    CHECK(heard.longest <= 300);
    /* What was not told then is told as a number. */
    heard.room = -1;
    told_settle(t, 0);
    CHECK_INT(heard.lost, 39 * 3);
    CHECK_INT(sum(), 39 * 7);
    told_destroy(t);
}

T_MAIN()
