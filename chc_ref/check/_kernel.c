/* The search of check/halves.py in C: same states, same order, same counts.
 *
 * A state is a pair of 32-bit ids of halves. What may happen in a half, and what one half's pokes
 * do to the other, is worked out here from what Python says of single cells, and Python is asked
 * once for each. The search goes level by level, in chunks of states, and each chunk in steps:
 *
 *   1. threads write down the successors of their part of the chunk, but for those that they had
 *      not long ago; a state that needs an entry which no table has yet is put off, and done alone
 *      afterwards, in order;
 *   2. the table of states has a part for each thread, where it looks up the successors that belong
 *      there, all in order, so that who is first does not depend on the threads; it begins with that
 *      while the states that were put off are done;
 *   3. new states get their numbers, in order, and are judged.
 *
 * Numbers, and so the shortest way to a state, are the same with any number of threads. States are
 * kept in order of discovery, each in as few octets as its halves' ids need, beside a table of
 * numbers. No parents are kept: the way to a state is found again by expanding the levels before it.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <pthread.h>
#include <sys/mman.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;
typedef unsigned __int128 u128;

#define NONE 0xFFFFFFFFu
#define ABSENT UINT64_MAX
#define QUIET 1u
#define FLAGS 1
#define MOST_THREADS 64
#define CHUNK 0x10000u
#define WORTH_SHARING 0x800u /* rows of a chunk */
#ifndef MOST_STATES /* a test has fewer */
#define MOST_STATES 0xF0000000u
#endif
#define FRESH MOST_STATES /* from here on, numbers are of what a chunk has brought, till they are
                             given theirs */
#define IMPOSSIBLE 0
#define POSSIBLE 1
#define FAILED (-1)

/* ------------------------------------------------------------------ growing arrays */

/* Ask for large pages where there is much: nearly every look into a table is somewhere else. */
#define LARGE ((size_t)1 << 21)

static void make_large(void *at, size_t octets) {
    uintptr_t begin = ((uintptr_t)at + 4095) & ~(uintptr_t)4095, end = (uintptr_t)at + octets;
    if (octets >= 2 * LARGE) madvise((void *)begin, end - begin, MADV_HUGEPAGE);
}

/* Give so much memory, to be given back with `free`; NULL if there is none. */
static void *memory(size_t octets) {
    void *at = NULL;
    if (octets < 2 * LARGE) return malloc(octets);
    if (posix_memalign(&at, LARGE, octets)) return NULL;
    make_large(at, octets);
    return at;
}

typedef struct {
    u32 *at;
    size_t n, room;
} Ints;

/* Without a word, for threads that may not speak to Python. */
static int grow_silently(void **at, size_t *room, size_t need, size_t size) {
    if (need <= *room) return 0;
    size_t wide = *room + (*room * size < 16 * LARGE ? *room / 2 : *room / 8) + 64;
    if (wide < need) wide = need;
    void *wider = realloc(*at, wide * size);
    if (!wider) return -1;
    make_large(wider, wide * size);
    *at = wider;
    *room = wide;
    return 0;
}

static int grow(void **at, size_t *room, size_t need, size_t size) {
    if (!grow_silently(at, room, need, size)) return 0;
    PyErr_NoMemory();
    return -1;
}

static int add(Ints *to, u32 value) {
    if (grow((void **)&to->at, &to->room, to->n + 1, sizeof(u32))) return -1;
    to->at[to->n++] = value;
    return 0;
}

static int add_all(Ints *to, const u32 *values, size_t n) {
    if (grow((void **)&to->at, &to->room, to->n + n, sizeof(u32))) return -1;
    if (n) memcpy(to->at + to->n, values, n * sizeof(u32));
    to->n += n;
    return 0;
}

/* ------------------------------------------------------------------ hashing */

static inline u64 mix(u64 x) {
    x ^= x >> 32;
    x *= 0xD6E8FEB86659FD93u;
    x ^= x >> 32;
    x *= 0xD6E8FEB86659FD93u;
    return x ^ x >> 32;
}

/* Give 32 bits for a sequence. */
static inline u32 mix_all(const u32 *of, size_t n) {
    u64 x = n;
    for (size_t i = 0; i < n; i++) {
        x = (x ^ of[i]) * 0x9E3779B97F4A7C15u;
        x ^= x >> 32;
    }
    return (u32)(x * 0xD6E8FEB86659FD93u >> 32);
}

/* Tables where who does not find his place takes the next one that is free. They are filled up to
 * three quarters, and grow to twice their size; by a quarter where that is much memory. */
#define CROWDED(n, room) ((n) >= (room) / 4 * 3)
#define WIDER(room) ((room) < LARGE ? 2 * (room) + 1024 : (room) + (room) / 4)

static inline size_t place_of(u32 hash, size_t room) { return (u64)hash * room >> 32; }
static inline size_t next_place(size_t i, size_t room) { return i + 1 == room ? 0 : i + 1; }

/* Map of 64-bit keys, of which none is ABSENT, to 64-bit values. */
typedef struct {
    u64 *at; /* key, value, key, value ... */
    size_t n, room;
} Map;

static inline size_t map_place(const Map *map, u64 key) {
    return place_of((u32)(key * 0x9E3779B97F4A7C15u >> 32), map->room);
}

static inline void map_fetch(const Map *map, u64 key) {
    if (map->room) __builtin_prefetch(map->at + 2 * map_place(map, key));
}

static inline u64 map_get(const Map *map, u64 key) {
    if (!map->room) return ABSENT;
    for (size_t i = map_place(map, key);; i = next_place(i, map->room)) {
        u64 found = map->at[2 * i];
        if (found == key) return map->at[2 * i + 1];
        if (found == ABSENT) return ABSENT;
    }
}

static int map_put(Map *map, u64 key, u64 value) {
    if (CROWDED(map->n, map->room)) {
        Map wider = {0};
        wider.room = WIDER(map->room);
        wider.at = memory(2 * wider.room * sizeof(u64));
        if (!wider.at) {
            PyErr_NoMemory();
            return -1;
        }
        memset(wider.at, 0xFF, 2 * wider.room * sizeof(u64));
        for (size_t i = 0; i < map->room; i++)
            if (map->at[2 * i] != ABSENT) map_put(&wider, map->at[2 * i], map->at[2 * i + 1]);
        free(map->at);
        *map = wider;
    }
    size_t i = map_place(map, key);
    while (map->at[2 * i] != ABSENT) i = next_place(i, map->room);
    map->at[2 * i] = key;
    map->at[2 * i + 1] = value;
    map->n++;
    return 0;
}

/* Dense ids for sequences of integers. */
typedef struct {
    Ints all;     /* the sequences, one behind the other */
    Ints starts;  /* where each begins; one more for the end */
    size_t width; /* of every sequence; NO_WIDTH where they differ */
    u64 *index;   /* hash, and below it the id; ABSENT where it is free */
    size_t n, room;
} Interner;

#define NO_WIDTH SIZE_MAX

static inline const u32 *sequence(const Interner *of, u32 id) {
    return of->all.at + (of->width == NO_WIDTH ? of->starts.at[id] : id * of->width);
}

static inline size_t length(const Interner *of, u32 id) {
    return of->width == NO_WIDTH ? of->starts.at[id + 1] - of->starts.at[id] : of->width;
}

static inline size_t count(const Interner *of) { return of->n; }

static int widen_index(Interner *of) {
    size_t room = WIDER(of->room);
    u64 *index = memory(room * sizeof(u64));
    if (!index) {
        PyErr_NoMemory();
        return -1;
    }
    memset(index, 0xFF, room * sizeof(u64));
    for (size_t j = 0; j < of->room; j++) {
        if (of->index[j] == ABSENT) continue;
        size_t i = place_of((u32)(of->index[j] >> 32), room);
        while (index[i] != ABSENT) i = next_place(i, room);
        index[i] = of->index[j];
    }
    free(of->index);
    of->index = index;
    of->room = room;
    return 0;
}

static inline int are_same(const u32 *one, const u32 *other, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (one[i] != other[i]) return 0;
    return 1;
}

/* Fetch what tells the id of a sequence of the width of all, and then that sequence itself. */
static inline void fetch_index(const Interner *of, const u32 *values) {
    if (of->room) __builtin_prefetch(of->index + place_of(mix_all(values, of->width), of->room));
}

static inline void fetch_sequence(const Interner *of, const u32 *values) {
    if (!of->room) return;
    u64 found = of->index[place_of(mix_all(values, of->width), of->room)];
    if (found != ABSENT) __builtin_prefetch(sequence(of, (u32)found));
}

/* Give the id of a sequence, or NONE and an error. */
static u32 intern(Interner *of, const u32 *values, size_t n) {
    if (CROWDED(of->n, of->room) && widen_index(of)) return NONE;
    u32 hash = mix_all(values, n);
    size_t i = place_of(hash, of->room);
    for (; of->index[i] != ABSENT; i = next_place(i, of->room)) {
        u32 id = (u32)of->index[i];
        if (of->index[i] >> 32 == hash && length(of, id) == n && are_same(sequence(of, id), values, n))
            return id;
    }
    if (of->n == NONE - 1) {
        PyErr_SetString(PyExc_OverflowError, "more than 2**32 - 2 halves");
        return NONE;
    }
    if (add_all(&of->all, values, n)) return NONE;
    if (of->width == NO_WIDTH) {
        if (!of->starts.n && add(&of->starts, 0)) return NONE;
        if (add(&of->starts, (u32)of->all.n)) return NONE;
    }
    of->index[i] = (u64)hash << 32 | of->n;
    return (u32)of->n++;
}

/* ------------------------------------------------------------------ the table of states */

/* One cache line: octets of the hashes, 0 where it is free, then numbers of states. */
#define SLOTS 12
#define RECENT 0x3FFFFu
typedef struct {
    u8 tags[16];
    u32 numbers[SLOTS];
} Bucket;

/* Each has a cache line of its own, as each is written by one thread. */
typedef struct {
    Bucket *at;
    size_t room, n;
    u8 apart[40];
} Part;

/* A successor: its state, and where it stands among those of the chunk. */
typedef struct {
    u64 key;
    u32 place; /* number of the row; below it, in PLACE_BITS, that of the successor */
} Item;

#define PLACE_BITS 16

typedef struct {
    Item *at;
    size_t n, room;
} Items;

/* What a chunk has brought to one part of the table. */
typedef struct {
    u32 place; /* the first one */
    u32 slot;
    size_t bucket;
    u64 key;
    u32 number; /* or NONE */
    u32 moved;  /* whether it stands in `moved` */
} New;

typedef struct {
    New *at;
    size_t n, room;
} News;

typedef struct {
    u64 *at;
    size_t n, room;
} Keys;

/* States in order of discovery, each in as few octets as the numbers of its halves need. */
typedef struct {
    u8 *at;
    size_t n, room; /* states; octets */
    int octets;     /* of one state: 1 to 8 */
    int shift;      /* how many of its bits are of the second half */
} States;

#define BEHIND 8 /* octets that may be read behind the last one */

static inline u64 state_at(const States *states, size_t number) {
    u64 bits;
    memcpy(&bits, states->at + number * states->octets, sizeof bits);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    bits = __builtin_bswap64(bits);
#endif
    bits &= ~(u64)0 >> (64 - 8 * states->octets);
    return bits >> states->shift << 32 | (bits & ~(~(u64)0 << states->shift));
}

/* Only its own octets are written, for other threads write those beside it. */
static inline void put_state(States *states, size_t number, u64 key) {
    u64 bits = key >> 32 << states->shift | (u32)key;
    u8 *at = states->at + number * states->octets;
    for (int i = 0; i < states->octets; i++) at[i] = (u8)(bits >> 8 * i);
}

static inline void fetch_state(const States *states, size_t number) {
    __builtin_prefetch(states->at + number * states->octets);
}

/* What Python is asked: methods and tables of Cells, and what it says of the system. */
enum { MOVES, POKED, URGENT, CELL, PLAIN, HEADS, TAKEN, PUT_BY, PUTS, IDS, VALUES, INBOXES, ASKED };
static const char *const ASKED_OF[ASKED] = {"moves", "poked", "urgent", "cell",   "plain",
                                            "heads", "taken", "put_by", "puts",   "cells.ids",
                                            "cells.values",   "system.inboxes"};

struct Kernel;

typedef struct {
    struct Kernel *kernel;
    int number;
    Keys row;   /* successors of some states */
    u32 done;   /* rows that were not put off */
    Items *out; /* successors that it has written, for each part of the table */
    News news;  /* new ones among those of its part of the table */
    Ints moved; /* those of them that rows which were put off came to first, in order */
    int out_of_memory;
    u64 *recent; /* successors that it has written not long ago */
} Worker;

typedef struct Kernel {
    PyObject_HEAD
    PyObject *of_cells[ASKED];
    int threads, hurries, positions;
    u8 side_of[256], place_of[256], position_of[2][256];
    int width[2];

    Ints moves_at;  /* by cell: where its moves begin in `said`, or NONE */
    Map poked_at;   /* by cell and poke: where the answer stands in `said` */
    Ints urgencies; /* by cell: 0, 1 or NONE */
    Ints said;      /* what Python has said of cells */

    Interner halves[2], lists;
    Ints starts[2];  /* by half: where its moves begin, or NONE */
    Ints moves[2];   /* of each half: how many; then code, half, list of each */
    Ints urgent[2];  /* by half: position of an urgent cell, or NONE */
    Map pokes[2];    /* by list and half: half after them and list back, or IMPOSSIBLE_HIT */
    Ints cell_looks; /* by cell: flags, and an id of what is seen of it */
    PyObject *state_looks; /* the same, of some cell with a component's state */
    Interner looks;  /* ids of what is seen of a half's cells */
    Ints summary[2]; /* by half: flags and such an id */
    Map good;        /* pairs of summaries of which nothing is violated */
    Ints queue, across, work, later;

    States states;
    Part parts[MOST_THREADS];
    Ints levels; /* number of the first state of each level */
    u64 transitions;

    /* the chunk */
    size_t from, rows, chunk; /* rows that are to be expanded: `rows`, or more if Python fails */
    size_t judged; /* how many states were found good, in order of discovery */
    int cut;       /* whether the table of numbers has what are no states, and is to be made anew */
    u32 *counts;   /* successors of each row */
    Ints put_off; /* rows */
    Keys alone;
    Items *late;   /* successors of the rows that were put off, for each part of the table */
    u64 *recent;   /* those that were written not long ago */
    Ints places;   /* of the new states, in order */
    u8 *doubts;    /* whether each is to be judged */
    size_t doubts_room;
    Worker workers[MOST_THREADS];
    pthread_t ids[MOST_THREADS];
    pthread_mutex_t lock;
    pthread_cond_t begin, end;
    int job, round, busy, started;
    int next; /* worker whose turn it is */
} Kernel;

#define IMPOSSIBLE_HIT (ABSENT - 1)
#define PUT_OFF NONE
#define MOST_SUCCESSORS ((1 << PLACE_BITS) - 1)

/* ------------------------------------------------------------------ what Python says of cells */

/* Nearly all that is asked is that the head of a channel is taken and that a message is put. Of
 * that, Python has to say what the core makes of a message, and what the content of a channel then
 * is; the cells that come of it are looked up here, in the tables that Cells has. */

/* Append (position, poke), ... and their number. */
static int append_pokes(Kernel *k, PyObject *pokes) {
    Py_ssize_t n = PyTuple_Check(pokes) ? PyTuple_GET_SIZE(pokes) : -1;
    if (n < 0) {
        PyErr_SetString(PyExc_TypeError, "pokes are no tuple");
        return -1;
    }
    if (add(&k->said, (u32)n)) return -1;
    for (Py_ssize_t i = 0; i < n; i++) {
        unsigned at, poke;
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(pokes, i), "II", &at, &poke)) return -1;
        if (add(&k->said, at) || add(&k->said, poke)) return -1;
    }
    return 0;
}

static int fill(Ints *to, size_t n, u32 value) {
    while (to->n < n)
        if (add(to, value)) return -1;
    return 0;
}

/* Get what is found in a table by some of its keys; a Memo works out what it has not. */
static PyObject *got_by(PyObject *table, PyObject *one, PyObject *two, PyObject *three) {
    PyObject *key = three ? PyTuple_Pack(3, one, two, three) : PyTuple_Pack(2, one, two);
    PyObject *found = key ? PyObject_GetItem(table, key) : NULL;
    Py_XDECREF(key);
    return found;
}

/* Give the component, state and contents of a cell. */
static int part_cell(Kernel *k, u32 cell, PyObject *of[3]) {
    PyObject *values = k->of_cells[VALUES];
    PyObject *found = cell < (size_t)PyList_GET_SIZE(values) ? PyList_GET_ITEM(values, cell) : NULL;
    if (!found || !PyTuple_Check(found) || PyTuple_GET_SIZE(found) != 3 ||
        !PyTuple_Check(PyTuple_GET_ITEM(found, 2))) {
        PyErr_Format(PyExc_TypeError, "%u is no cell", cell);
        return -1;
    }
    for (int i = 0; i < 3; i++) of[i] = PyTuple_GET_ITEM(found, i);
    return 0;
}

/* Give the id of a cell whose contents are `of[2]` but for one; NONE is an error. */
static u32 cell_with(Kernel *k, PyObject *of[3], PyObject *state, Py_ssize_t slot, PyObject *content) {
    Py_ssize_t n = PyTuple_GET_SIZE(of[2]);
    PyObject *contents = PyTuple_New(n);
    for (Py_ssize_t i = 0; contents && i < n; i++)
        PyTuple_SET_ITEM(contents, i, Py_NewRef(i == slot ? content : PyTuple_GET_ITEM(of[2], i)));
    PyObject *key = contents ? PyTuple_Pack(3, of[0], state, contents) : NULL;
    PyObject *cell = key ? Py_XNewRef(PyDict_GetItemWithError(k->of_cells[IDS], key)) : NULL;
    if (key && !cell && !PyErr_Occurred()) cell = PyObject_CallObject(k->of_cells[CELL], key);
    Py_XDECREF(key);
    Py_XDECREF(contents);
    if (!cell) return NONE;
    u32 id = (u32)PyLong_AsUnsignedLong(cell);
    Py_DECREF(cell);
    return PyErr_Occurred() ? NONE : id;
}

/* Let the head of a channel be taken; see Cells._deliveries. */
static int take_head(Kernel *k, PyObject *of[3], Py_ssize_t slot, PyObject *channel) {
    unsigned code;
    PyObject *message, *rest, *state, *pokes, *taken = NULL;
    PyObject *head = PyObject_GetItem(k->of_cells[HEADS], PyTuple_GET_ITEM(of[2], slot));
    int failed = !head || !PyArg_ParseTuple(head, "OO", &message, &rest);
    if (!failed) taken = got_by(k->of_cells[TAKEN], of[1], channel, message);
    failed = !taken || !PyArg_ParseTuple(taken, "IOO", &code, &state, &pokes);
    if (!failed) {
        u32 cell = cell_with(k, of, state, slot, rest);
        failed = cell == NONE || add(&k->said, code) || add(&k->said, cell) || append_pokes(k, pokes);
    }
    Py_XDECREF(head);
    Py_XDECREF(taken);
    return failed;
}

/* Tell what may happen at a cell where that is only what its channels bring. */
static int take_heads(Kernel *k, PyObject *of[3]) {
    PyObject *inbox = PyObject_GetItem(k->of_cells[INBOXES], of[0]);
    size_t at = k->said.n;
    int failed = !inbox || !PyTuple_Check(inbox) || add(&k->said, 0);
    for (Py_ssize_t slot = 0; !failed && slot < PyTuple_GET_SIZE(of[2]); slot++) {
        int some = PyObject_IsTrue(PyTuple_GET_ITEM(of[2], slot));
        failed = some < 0 || (some && take_head(k, of, slot, PyTuple_GET_ITEM(inbox, slot)));
        k->said.at[at] += some;
    }
    Py_XDECREF(inbox);
    return failed;
}

/* Tell what may happen at any cell: Python is asked. */
static int ask_moves(Kernel *k, u32 cell) {
    PyObject *moves = PyObject_CallFunction(k->of_cells[MOVES], "I", cell);
    PyObject *fast = moves ? PySequence_Fast(moves, "moves are no sequence") : NULL;
    Py_XDECREF(moves);
    if (!fast) return -1;
    Py_ssize_t n = PySequence_Fast_GET_SIZE(fast);
    int failed = add(&k->said, (u32)n);
    for (Py_ssize_t i = 0; i < n && !failed; i++) {
        unsigned code, after;
        PyObject *pokes;
        failed = !PyArg_ParseTuple(PySequence_Fast_GET_ITEM(fast, i), "IIO", &code, &after, &pokes) ||
                 add(&k->said, code) || add(&k->said, after) || append_pokes(k, pokes);
    }
    Py_DECREF(fast);
    return failed;
}

/* Give where the moves of a cell begin: how many; of each code, cell, pokes. NONE is an error. */
static u32 moves_of_cell(Kernel *k, u32 cell) {
    if (fill(&k->moves_at, (size_t)cell + 1, NONE)) return NONE;
    if (k->moves_at.at[cell] != NONE) return k->moves_at.at[cell];
    PyObject *of[3];
    if (part_cell(k, cell, of)) return NONE;
    PyObject *plain = got_by(k->of_cells[PLAIN], of[0], of[1], NULL);
    int is_plain = plain ? PyObject_IsTrue(plain) : -1;
    Py_XDECREF(plain);
    u32 at = (u32)k->said.n;
    if (is_plain < 0 || (is_plain ? take_heads(k, of) : ask_moves(k, cell))) return NONE;
    return k->moves_at.at[cell] = at;
}

/* Tell what comes of a message put; see Cells.poked. */
static int put_message(Kernel *k, u32 cell, PyObject *put) {
    Py_ssize_t slot;
    PyObject *message, *content, *of[3];
    if (part_cell(k, cell, of) || !PyArg_ParseTuple(put, "nO", &slot, &message)) return -1;
    if (slot < 0 || slot >= PyTuple_GET_SIZE(of[2])) {
        PyErr_SetString(PyExc_IndexError, "there is no such channel");
        return -1;
    }
    content = got_by(k->of_cells[PUTS], PyTuple_GET_ITEM(of[2], slot), message, NULL);
    u32 after = content ? cell_with(k, of, of[1], slot, content) : NONE;
    Py_XDECREF(content);
    return after == NONE || add(&k->said, after) || add(&k->said, 0);
}

/* Tell what comes of any poke: Python is asked. */
static int ask_poked(Kernel *k, u32 cell, u32 poke) {
    PyObject *answer = PyObject_CallFunction(k->of_cells[POKED], "II", cell, poke);
    if (!answer) return -1;
    int failed;
    if (answer == Py_None) {
        failed = add(&k->said, NONE) || add(&k->said, 0);
    } else {
        unsigned after;
        PyObject *pokes;
        failed = !PyArg_ParseTuple(answer, "IO", &after, &pokes) || add(&k->said, after) ||
                 append_pokes(k, pokes);
    }
    Py_DECREF(answer);
    return failed;
}

/* Give where the answer to a poke stands: cell after it or NONE, pokes. NONE is an error. */
static u32 poked_cell(Kernel *k, u32 cell, u32 poke) {
    u64 key = (u64)cell << 32 | poke;
    u64 found = map_get(&k->poked_at, key);
    if (found != ABSENT) return (u32)found;
    PyObject *number = PyLong_FromUnsignedLong(poke);
    PyObject *put = number ? PyObject_GetItem(k->of_cells[PUT_BY], number) : NULL;
    Py_XDECREF(number);
    u32 at = (u32)k->said.n;
    int failed = !put || (put == Py_None ? ask_poked(k, cell, poke) : put_message(k, cell, put));
    Py_XDECREF(put);
    if (failed || map_put(&k->poked_at, key, at)) return NONE;
    return at;
}

/* Tell whether something must happen at a cell before all else; NONE is an error. */
static u32 is_urgent(Kernel *k, u32 cell) {
    if (fill(&k->urgencies, (size_t)cell + 1, NONE)) return NONE;
    if (k->urgencies.at[cell] != NONE) return k->urgencies.at[cell];
    PyObject *answer = PyObject_CallFunction(k->of_cells[URGENT], "I", cell);
    if (!answer) return NONE;
    u32 urgent = answer != Py_None;
    Py_DECREF(answer);
    return k->urgencies.at[cell] = urgent;
}

/* ------------------------------------------------------------------ halves */

static u32 half_of(Kernel *k, int side, const u32 *cells) {
    u32 half = intern(&k->halves[side], cells, k->width[side]);
    if (half == NONE) return NONE;
    size_t n = (size_t)half + 1;
    if (n > k->starts[side].n) {
        u32 urgent = NONE;
        for (int place = 0; k->hurries && place < k->width[side] && urgent == NONE; place++) {
            u32 is = is_urgent(k, cells[place]);
            if (is == NONE) return NONE;
            if (is) urgent = k->position_of[side][place];
        }
        if (fill(&k->starts[side], n, NONE) || fill(&k->summary[side], n, NONE)) return NONE;
        if (add(&k->urgent[side], urgent)) return NONE;
    }
    return half;
}

/* Let the pokes in `queue` have their effect on `cells`, which are of one side; give those for the
 * other side. */
static int changed(Kernel *k, int side, u32 *cells, u32 *list) {
    k->across.n = 0;
    for (size_t i = 0; i < k->queue.n; i += 2) {
        u32 at = k->queue.at[i], poke = k->queue.at[i + 1];
        if (k->side_of[at] != side) {
            if (add(&k->across, at) || add(&k->across, poke)) return FAILED;
            continue;
        }
        u32 hit = poked_cell(k, cells[k->place_of[at]], poke);
        if (hit == NONE) return FAILED;
        if (k->said.at[hit] == NONE) return IMPOSSIBLE;
        cells[k->place_of[at]] = k->said.at[hit];
        if (add_all(&k->queue, k->said.at + hit + 2, 2 * k->said.at[hit + 1])) return FAILED;
    }
    *list = intern(&k->lists, k->across.at, k->across.n);
    return *list == NONE ? FAILED : POSSIBLE;
}

/* Work out the moves of a half. The halves after them are looked up last, and all fetched first. */
static int fill_moves(Kernel *k, int side, u32 half) {
    Ints *later = &k->later, *work = &k->work;
    Interner *halves = &k->halves[side];
    size_t width = (size_t)k->width[side];
    u32 urgent = k->urgent[side].at[half];
    later->n = work->n = 0;
    for (size_t place = 0; place < width; place++) {
        if (urgent != NONE && urgent != k->position_of[side][place]) continue;
        u32 at = moves_of_cell(k, sequence(halves, half)[place]);
        if (at == NONE) return FAILED;
        for (u32 n = k->said.at[at++]; n; n--) {
            u32 code = k->said.at[at], after = k->said.at[at + 1], pokes = k->said.at[at + 2], list;
            k->queue.n = 0;
            if (add_all(&k->queue, k->said.at + at + 3, 2 * pokes)) return FAILED;
            at += 3 + 2 * pokes;
            if (add_all(work, sequence(halves, half), width)) return FAILED;
            u32 *cells = work->at + work->n - width;
            cells[place] = after;
            int possible = changed(k, side, cells, &list);
            if (possible == FAILED) return FAILED;
            if (possible == IMPOSSIBLE) {
                work->n -= width;
                continue;
            }
            fetch_index(halves, cells);
            if (add(later, code) || add(later, list)) return FAILED;
        }
    }
    size_t moves = later->n / 2;
    for (size_t i = 0; i < moves; i++) fetch_sequence(halves, work->at + i * width);
    if (k->moves[side].n + 1 + 3 * moves >= NONE) {
        PyErr_SetString(PyExc_OverflowError, "the halves have more than 2**32 numbers of moves");
        return FAILED;
    }
    u32 start = (u32)k->moves[side].n;
    if (add(&k->moves[side], (u32)moves)) return FAILED;
    for (size_t i = 0; i < moves; i++) {
        u32 then = half_of(k, side, work->at + i * width);
        u32 move[3] = {later->at[2 * i], then, later->at[2 * i + 1]};
        if (then == NONE || add_all(&k->moves[side], move, 3)) return FAILED;
    }
    k->starts[side].at[half] = start;
    return POSSIBLE;
}

/* Work out what a list of pokes does to a half. */
static int fill_pokes(Kernel *k, int side, u32 list, u32 half, u64 *hit) {
    u32 then = NONE, back;
    k->queue.n = k->work.n = 0;
    if (add_all(&k->queue, sequence(&k->lists, list), length(&k->lists, list)) ||
        add_all(&k->work, sequence(&k->halves[side], half), (size_t)k->width[side]))
        return FAILED;
    int possible = changed(k, side, k->work.at, &back);
    if (possible == FAILED) return FAILED;
    if (possible == POSSIBLE && (then = half_of(k, side, k->work.at)) == NONE) return FAILED;
    *hit = possible == IMPOSSIBLE ? IMPOSSIBLE_HIT : ((u64)then << 32 | back);
    return map_put(&k->pokes[side], (u64)list << 32 | half, *hit) ? FAILED : POSSIBLE;
}

/* ------------------------------------------------------------------ successors */

/* Tell which sides a state's next action may be on. */
static inline void sides_of(const Kernel *k, const u32 *halves, int *first, int *last) {
    *first = 0;
    *last = 1;
    if (k->hurries) {
        u32 left = k->urgent[0].at[halves[0]], right = k->urgent[1].at[halves[1]];
        if (left != right) *first = *last = left < right ? 0 : 1;
    }
}

/* What expanding a state comes to, if not to successors. */
enum { IS_MISSING = -1, NO_MEMORY = -2, TOO_MANY = -3, RAISED = -4 };

/* Fetch what the moves of a half do to the other one. */
static inline void fetch_pokes_of(const Kernel *k, int side, u32 half, u32 other) {
    const u32 *move = k->moves[side].at + k->starts[side].at[half];
    for (u32 n = *move++; n; n--, move += 3)
        if (move[2]) map_fetch(&k->pokes[1 - side], (u64)move[2] << 32 | other);
}

/* Append the successors of a state, and their codes if asked for; give their number.
 * Where a table has no entry yet, it is worked out if that is wished; else it IS_MISSING. */
static inline int expand(Kernel *k, u64 key, Keys *out, Ints *codes, int fills) {
    u32 halves[2] = {(u32)(key >> 32), (u32)key};
    int first, last;
    size_t begun = out->n;
    sides_of(k, halves, &first, &last);
    for (int side = first; side <= last; side++) {
        if (k->starts[side].at[halves[side]] == NONE) {
            if (!fills) goto missing;
            if (fill_moves(k, side, halves[side]) == FAILED) return RAISED;
        }
        if (fills) fetch_pokes_of(k, side, halves[side], halves[1 - side]);
        const u32 *move = k->moves[side].at + k->starts[side].at[halves[side]];
        for (u32 n = *move++; n; n--, move += 3) {
            u32 after[2];
            after[side] = move[1];
            after[1 - side] = halves[1 - side];
            int to = 1 - side;
            for (u32 list = move[2]; list; to = 1 - to) {
                u64 hit = map_get(&k->pokes[to], (u64)list << 32 | after[to]);
                if (hit == ABSENT) {
                    if (!fills) goto missing;
                    if (fill_pokes(k, to, list, after[to], &hit) == FAILED) return RAISED;
                }
                if (hit == IMPOSSIBLE_HIT) goto impossible;
                after[to] = (u32)(hit >> 32);
                list = (u32)hit;
            }
            if (out->n == out->room) {
                size_t room = 2 * out->room + 1024;
                u64 *wider = realloc(out->at, room * sizeof(u64));
                if (!wider) return NO_MEMORY;
                out->at = wider;
                out->room = room;
            }
            out->at[out->n++] = (u64)after[0] << 32 | after[1];
            if (codes && add(codes, move[0])) return RAISED;
        impossible:;
        }
    }
    return out->n - begun > MOST_SUCCESSORS ? TOO_MANY : (int)(out->n - begun);
missing:
    return IS_MISSING;
}

/* Expand one state, and work out what is missing on the way; -1 is an error. */
static int expand_fully(Kernel *k, u64 key, Keys *out, Ints *codes) {
    int n = expand(k, key, out, codes, 1);
    if (n == NO_MEMORY) PyErr_NoMemory();
    if (n == TOO_MANY) PyErr_SetString(PyExc_OverflowError, "a state has too many successors");
    return n < 0 ? -1 : n;
}

static inline size_t bucket_of(const Part *part, u64 hash) {
    return (size_t)((u128)(hash << 8) * part->room >> 64);
}

static inline int part_of(const Kernel *k, u64 hash) {
    return (int)((hash >> 56) * k->threads >> 8);
}

static int hand_over(Items *to, u64 key, u32 place) {
    if (to->n == to->room) {
        size_t room = 2 * to->room + 1024;
        Item *wider = realloc(to->at, room * sizeof(Item));
        if (!wider) return -1;
        to->at = wider;
        to->room = room;
    }
    to->at[to->n++] = (Item){key, place};
    return 0;
}

static inline void fetch_recent(const u64 *recent, u64 hash) {
    __builtin_prefetch(&recent[hash >> 16 & RECENT], 1);
}

/* Tell whether a key is among those noted not long ago, and note it. */
static inline int is_recent(u64 *recent, u64 key, u64 hash) {
    u64 *at = &recent[hash >> 16 & RECENT];
    if (*at == key) return 1;
    *at = key;
    return 0;
}

static void forget_recent(u64 *recent) { memset(recent, 0xFF, (RECENT + 1) * sizeof(u64)); }

static u64 *make_recent(void) {
    u64 *recent = malloc((RECENT + 1) * sizeof(u64));
    if (recent) forget_recent(recent);
    return recent;
}

/* Rows are taken in blocks: what the next ones need is fetched first, in the order in which one
 * thing tells where the other is, so that none is waited for. */
#define BLOCK 16

static inline void fetch_starts(const Kernel *k, u64 key) {
    __builtin_prefetch(&k->starts[0].at[key >> 32]);
    __builtin_prefetch(&k->starts[1].at[(u32)key]);
}

static inline void fetch_moves(const Kernel *k, u64 key) {
    u32 left = k->starts[0].at[key >> 32], right = k->starts[1].at[(u32)key];
    if (left != NONE) __builtin_prefetch(k->moves[0].at + left);
    if (right != NONE) __builtin_prefetch(k->moves[1].at + right);
}

static inline void fetch_pokes(const Kernel *k, u64 key) {
    u32 left = (u32)(key >> 32), right = (u32)key;
    if (k->starts[0].at[left] != NONE) fetch_pokes_of(k, 0, left, right);
    if (k->starts[1].at[right] != NONE) fetch_pokes_of(k, 1, right, left);
}

static void first_step(Worker *w) {
    Kernel *k = w->kernel;
    const States *states = &k->states;
    size_t from = k->rows * w->number / k->threads, to = k->rows * (w->number + 1) / k->threads;
    for (int t = 0; t < k->threads; t++) w->out[t].n = 0;
    w->done = 0;
    for (size_t block = from; block < to; block += BLOCK) {
        size_t end = block + BLOCK < to ? block + BLOCK : to;
        w->row.n = 0;
        for (size_t row = block; row < end; row++) {
            if (row + 3 * BLOCK < to) fetch_starts(k, state_at(states, k->from + row + 3 * BLOCK));
            if (row + 2 * BLOCK < to) fetch_moves(k, state_at(states, k->from + row + 2 * BLOCK));
            if (row + BLOCK < to) fetch_pokes(k, state_at(states, k->from + row + BLOCK));
            size_t begun = w->row.n;
            int n = expand(k, state_at(states, k->from + row), &w->row, NULL, 0);
            if (n == NO_MEMORY) w->out_of_memory = 1;
            if (n < 0) w->row.n = begun;
            k->counts[row] = n < 0 ? PUT_OFF : (u32)n;
            w->done += n >= 0;
            for (int i = 1; i <= n; i++)
                fetch_recent(w->recent, mix(w->row.at[w->row.n - i]));
        }
        const u64 *after = w->row.at;
        for (size_t row = block; row < end; row++)
            for (u32 i = 0; k->counts[row] != PUT_OFF && i < k->counts[row]; i++) {
                u64 key = *after++, hash = mix(key);
                if (is_recent(w->recent, key, hash)) continue;
                if (hand_over(&w->out[part_of(k, hash)], key, (u32)(row << PLACE_BITS | i)))
                    w->out_of_memory = 1;
            }
    }
}

/* ------------------------------------------------------------------ looking states up */

/* Give the octet that a bucket has of a hash; 0 says that there is none. */
static inline u8 tag_of(u64 hash) { return (u8)hash ? (u8)hash : 1; }

/* Give a bit for each slot of a bucket with this octet. */
static inline u32 slots_with(const Bucket *bucket, u8 tag) {
#ifdef __SSE2__
    __m128i tags = _mm_load_si128((const __m128i *)bucket->tags);
    return _mm_movemask_epi8(_mm_cmpeq_epi8(tags, _mm_set1_epi8((char)tag))) & ((1u << SLOTS) - 1);
#else
    u32 found = 0;
    for (u32 i = 0; i < SLOTS; i++) found |= (u32)(bucket->tags[i] == tag) << i;
    return found;
#endif
}

/* Find the number of a key in a bucket chain; else the free slot that it belongs to. */
static inline u32 look_up(
    const Kernel *k, const Part *part, const News *news, u64 key, u64 hash, size_t *bucket, u32 *slot
) {
    u8 tag = tag_of(hash);
    for (size_t b = bucket_of(part, hash);; b = b + 1 == part->room ? 0 : b + 1) {
        const Bucket *at = part->at + b;
        for (u32 like = slots_with(at, tag); like; like &= like - 1) {
            u32 number = at->numbers[__builtin_ctz(like)];
            u64 other = number >= FRESH ? news->at[number - FRESH].key : state_at(&k->states, number);
            if (other == key) return number;
        }
        u32 free = slots_with(at, 0);
        if (free) {
            *bucket = b;
            *slot = (u32)__builtin_ctz(free);
            return NONE;
        }
    }
}

/* A part is filled up to nine tenths. It grows by a half; by less where that is much memory, for
 * there the time to put all states down again is a smaller evil. */
#define FULL(room) ((room) * SLOTS / 10 * 9)
#define MUCH ((size_t)1 << 18)

static void free_part(Part *part) {
    if (part->at) munmap(part->at, part->room * sizeof(Bucket));
    part->at = NULL;
}

/* Put down the number of a state that the table has not; give its place. */
static inline u32 put_down(Part *part, u64 hash, u32 number, size_t *bucket) {
    for (size_t b = bucket_of(part, hash);; b = b + 1 == part->room ? 0 : b + 1) {
        u32 free = slots_with(&part->at[b], 0);
        if (!free) continue;
        u32 slot = (u32)__builtin_ctz(free);
        part->at[b].tags[slot] = tag_of(hash);
        part->at[b].numbers[slot] = number;
        *bucket = b;
        return slot;
    }
}

/* Make room in a part of the table for `more` states. */
static int widen(Kernel *k, int number, size_t more) {
    Part *part = &k->parts[number];
    size_t room = part->room;
    if (part->n + more <= FULL(room)) return 0;
    while (part->n + more > FULL(room)) room += (room < MUCH ? room / 2 : room / 5) + 64;
    free_part(part); /* first, so that never both are there */
    size_t octets = room * sizeof(Bucket);
    void *at = mmap(NULL, octets, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) return -1;
    make_large(at, octets);
    part->at = at; /* all free, for what the system gives is 0 */
    part->room = room;
    enum { AHEAD = 16 };
    struct {
        u64 hash;
        u32 number;
    } coming[AHEAD]; /* what is put down is fetched first */
    size_t seen = 0, done = 0;
    for (size_t i = 0; i < k->states.n || done < seen; i++) {
        if (i < k->states.n) {
            u64 hash = mix(state_at(&k->states, i));
            if (part_of(k, hash) != number) continue;
            __builtin_prefetch(part->at + bucket_of(part, hash), 1);
            coming[seen % AHEAD].hash = hash;
            coming[seen++ % AHEAD].number = (u32)i;
            if (seen - done < AHEAD) continue;
        }
        size_t bucket;
        put_down(part, coming[done % AHEAD].hash, coming[done % AHEAD].number, &bucket);
        done++;
    }
    News *news = &k->workers[number].news;
    for (size_t i = 0; i < news->n; i++) {
        New *one = &news->at[i];
        one->slot = put_down(part, mix(one->key), FRESH + (u32)i, &one->bucket);
    }
    part->n = done + news->n;
    return 0;
}

static void make_anew(Worker *w) {
    w->news.n = 0;
    if (widen(w->kernel, w->number, 0)) w->out_of_memory = 1;
}

/* Add to what is new; whether it `moved` is told by who came to it first. */
static int add_new(Worker *w, const Item *item, size_t bucket, u32 slot, u64 hash, u32 moved) {
    Part *part = &w->kernel->parts[w->number];
    News *news = &w->news;
    if (news->n == NONE - FRESH) return -1;
    if (grow_silently((void **)&news->at, &news->room, news->n + 1, sizeof(New))) return -1;
    part->at[bucket].tags[slot] = tag_of(hash);
    part->at[bucket].numbers[slot] = FRESH + (u32)news->n;
    news->at[news->n++] = (New){item->place, slot, bucket, item->key, NONE, moved};
    part->n++;
    return 0;
}

/* Look up successors that belong to the own part of the table, in order. Rows that were put off
 * come behind all others, but may have been first. */
static int look_up_all(Worker *w, const Items *items, u32 late) {
    Kernel *k = w->kernel;
    Part *part = &k->parts[w->number];
    News *news = &w->news;
    Ints *moved = &w->moved;
    /* The bucket of a successor is fetched first, then the state that is likely to be the same. */
    enum { FAR = 32, NEAR = 16 };
    for (size_t i = 0; i < items->n + FAR; i++) {
        if (i < items->n) __builtin_prefetch(part->at + bucket_of(part, mix(items->at[i].key)), 1);
        if (i >= FAR - NEAR && i - (FAR - NEAR) < items->n) {
            u64 hash = mix(items->at[i - (FAR - NEAR)].key);
            const Bucket *at = part->at + bucket_of(part, hash);
            u32 like = slots_with(at, tag_of(hash));
            u32 number = like ? at->numbers[__builtin_ctz(like)] : FRESH;
            if (number < FRESH) fetch_state(&k->states, number);
        }
        if (i < FAR) continue;
        const Item *item = &items->at[i - FAR];
        u64 hash = mix(item->key);
        size_t bucket = 0;
        u32 slot = 0, number = look_up(k, part, news, item->key, hash, &bucket, &slot);
        u32 moves = late;
        if (number == NONE) {
            number = FRESH + (u32)news->n;
            if (add_new(w, item, bucket, slot, hash, late)) return -1;
        } else if (number >= FRESH && item->place < news->at[number - FRESH].place) {
            news->at[number - FRESH].place = item->place;
            news->at[number - FRESH].moved = 1;
        } else {
            moves = 0;
        }
        if (!moves) continue;
        if (grow_silently((void **)&moved->at, &moved->room, moved->n + 1, sizeof(u32))) return -1;
        moved->at[moved->n++] = number - FRESH;
    }
    return 0;
}

static void second_step(Worker *w) {
    Kernel *k = w->kernel;
    size_t all = 0, done = 0;
    w->news.n = w->moved.n = 0;
    for (int t = 0; t < k->threads; t++) {
        all += k->workers[t].out[w->number].n;
        done += k->workers[t].done;
    }
    /* Rows that were put off will bring as many as others: there is time to make room now. */
    int failed = widen(k, w->number, done ? all * k->chunk / done : 0);
    for (int t = 0; t < k->threads && !failed; t++)
        failed = look_up_all(w, &k->workers[t].out[w->number], 0);
    if (failed) w->out_of_memory = 1;
}

static void second_step_late(Worker *w) {
    const Items *late = &w->kernel->late[w->number];
    if (widen(w->kernel, w->number, late->n) || look_up_all(w, late, 1)) w->out_of_memory = 1;
}

static inline int is_sure(u32 left, u32 right) {
    return !(left & right & QUIET);
}

/* Put down the new states of the own part by their numbers, and tell which are to be judged. */
static void third_step(Worker *w) {
    Kernel *k = w->kernel;
    enum { AHEAD = 16 };
    Part *part = &k->parts[w->number];
    for (size_t i = 0; i < w->news.n; i++) {
        if (i + AHEAD < w->news.n) {
            const New *later = &w->news.at[i + AHEAD];
            __builtin_prefetch(&part->at[later->bucket].numbers[later->slot], 1);
            __builtin_prefetch(&k->summary[0].at[later->key >> 32]);
            __builtin_prefetch(&k->summary[1].at[(u32)later->key]);
        }
        const New *one = &w->news.at[i];
        if (one->number == NONE) continue;
        part->at[one->bucket].numbers[one->slot] = one->number;
        put_state(&k->states, one->number, one->key);
        u32 left = k->summary[0].at[one->key >> 32], right = k->summary[1].at[(u32)one->key];
        k->doubts[one->number - k->states.n] =
            left == NONE || right == NONE || !is_sure(left, right) ||
            map_get(&k->good, (u64)left << 32 | right) == ABSENT;
    }
}

/* ------------------------------------------------------------------ threads */

static void (*const JOBS[])(Worker *) = {
    first_step, second_step, second_step_late, third_step, make_anew
};
enum { EXPAND, LOOK_UP, LOOK_UP_LATE, PUT_DOWN, MAKE_ANEW, LEAVE };

/* Do what is left of a step; which thread does a worker's share makes no difference. */
static void share(Kernel *k, int job) {
    for (;;) {
        int t = __atomic_fetch_add(&k->next, 1, __ATOMIC_RELAXED);
        if (t >= k->threads) return;
        JOBS[job](&k->workers[t]);
    }
}

static void *work(void *argument) {
    Kernel *k = argument;
    for (int round = 1;; round++) {
        pthread_mutex_lock(&k->lock);
        while (k->round < round) pthread_cond_wait(&k->begin, &k->lock);
        int job = k->job;
        pthread_mutex_unlock(&k->lock);
        if (job == LEAVE) return NULL;
        share(k, job);
        pthread_mutex_lock(&k->lock);
        if (--k->busy == 0) pthread_cond_signal(&k->end);
        pthread_mutex_unlock(&k->lock);
    }
}

/* Let the other threads begin with a step, unless there is little to do: a thread that sleeps
 * takes long to wake. */
static void begin_step(Kernel *k, int job) {
    pthread_mutex_lock(&k->lock);
    k->job = job;
    k->next = 0;
    if (k->rows >= WORTH_SHARING) {
        k->busy = k->started;
        k->round += k->started > 0;
        pthread_cond_broadcast(&k->begin);
    }
    pthread_mutex_unlock(&k->lock);
}

/* Do what is left of the step that was begun, and wait for the others. */
static int end_step(Kernel *k) {
    Py_BEGIN_ALLOW_THREADS
    share(k, k->job);
    pthread_mutex_lock(&k->lock);
    while (k->busy) pthread_cond_wait(&k->end, &k->lock);
    pthread_mutex_unlock(&k->lock);
    Py_END_ALLOW_THREADS
    for (int t = 0; t < k->threads; t++)
        if (k->workers[t].out_of_memory) {
            PyErr_NoMemory();
            return -1;
        }
    return 0;
}

static int together(Kernel *k, int job) {
    begin_step(k, job);
    return end_step(k);
}

static int start_threads(Kernel *k) {
    if (!k->started) k->round = 0;
    for (; k->started + 1 < k->threads; k->started++)
        if (pthread_create(&k->ids[k->started], NULL, work, k)) {
            PyErr_SetString(PyExc_OSError, "no more threads can be started");
            return -1;
        }
    return 0;
}

static void stop_threads(Kernel *k) {
    pthread_mutex_lock(&k->lock);
    k->job = LEAVE;
    k->round++;
    pthread_cond_broadcast(&k->begin);
    pthread_mutex_unlock(&k->lock);
    for (int t = 0; t < k->started; t++) pthread_join(k->ids[t], NULL);
    k->started = 0;
}

/* ------------------------------------------------------------------ judging */

static PyObject *row_of(Kernel *k, u64 key) {
    PyObject *row = PyTuple_New(k->positions);
    for (int at = 0; row && at < k->positions; at++) {
        int side = k->side_of[at];
        u32 half = side ? (u32)key : (u32)(key >> 32);
        PyObject *cell = PyLong_FromUnsignedLong(sequence(&k->halves[side], half)[k->place_of[at]]);
        if (!cell) {
            Py_DECREF(row);
            return NULL;
        }
        PyTuple_SET_ITEM(row, at, cell);
    }
    return row;
}

/* Give the flags of a cell, and the id of what is seen of it. NONE is an error. Of cells with the
 * same state that is the same, and none of them is quiet to which something is under way. */
static u32 look_at_cell(Kernel *k, PyObject *summary, u32 cell) {
    if (fill(&k->cell_looks, (size_t)cell + 1, NONE)) return NONE;
    if (k->cell_looks.at[cell] != NONE) return k->cell_looks.at[cell];
    PyObject *of[3];
    if (part_cell(k, cell, of)) return NONE;
    int some = 0;
    for (Py_ssize_t slot = 0; !some && slot < PyTuple_GET_SIZE(of[2]); slot++)
        some = PyObject_IsTrue(PyTuple_GET_ITEM(of[2], slot));
    PyObject *key = PyTuple_Pack(2, of[0], of[1]);
    PyObject *answer = key ? Py_XNewRef(PyDict_GetItemWithError(k->state_looks, key)) : NULL;
    int known = answer != NULL;
    if (key && (!known || !some) && !PyErr_Occurred()) {
        Py_XSETREF(answer, PyObject_CallFunction(summary, "I", cell));
        if (answer && !known && PyDict_SetItem(k->state_looks, key, answer)) Py_CLEAR(answer);
    }
    Py_XDECREF(key);
    if (!answer) return NONE;
    u32 look = (u32)PyLong_AsUnsignedLong(answer);
    Py_DECREF(answer);
    if (PyErr_Occurred()) return NONE;
    return k->cell_looks.at[cell] = some ? look & ~(u32)QUIET : look;
}

static int summed_up(Kernel *k, PyObject *summary, int side, u32 half, u32 *value) {
    *value = k->summary[side].at[half];
    if (*value != NONE) return 0;
    u32 looks[256], quiet = QUIET;
    for (int place = 0; place < k->width[side]; place++) {
        u32 look = look_at_cell(k, summary, sequence(&k->halves[side], half)[place]);
        if (look == NONE) return -1;
        quiet &= look;
        looks[place] = look >> FLAGS;
    }
    u32 look = intern(&k->looks, looks, k->width[side]);
    if (look == NONE) return -1;
    *value = k->summary[side].at[half] = look << FLAGS | quiet;
    return 0;
}

/* Judge a state: NULL is an error, None when nothing is violated. */
static PyObject *judged(Kernel *k, PyObject *summary, PyObject *judge, u64 key) {
    u32 left, right;
    if (summed_up(k, summary, 0, (u32)(key >> 32), &left)) return NULL;
    if (summed_up(k, summary, 1, (u32)key, &right)) return NULL;
    int sure = is_sure(left, right);
    u64 pair = (u64)left << 32 | right;
    if (sure && map_get(&k->good, pair) != ABSENT) Py_RETURN_NONE;
    PyObject *row = row_of(k, key);
    PyObject *wrong = row ? PyObject_CallOneArg(judge, row) : NULL;
    Py_XDECREF(row);
    if (wrong == Py_None && sure && map_put(&k->good, pair, 1)) {
        Py_DECREF(wrong);
        return NULL;
    }
    return wrong;
}

/* ------------------------------------------------------------------ the search */

/* Of what is new in one part of the table, the next ones in order: of those that rows came to at
 * once, and of those that rows which were put off came to first. */
typedef struct {
    size_t at, moved;
} Next;

static New *next_new(const Worker *w, Next *next) {
    New *news = w->news.at, *one = NULL, *other = NULL;
    enum { AHEAD = 8 };
    while (next->at < w->news.n && news[next->at].moved) next->at++;
    if (next->at < w->news.n) one = &news[next->at];
    if (next->moved + AHEAD < w->moved.n)
        __builtin_prefetch(&news[w->moved.at[next->moved + AHEAD]], 1);
    if (next->moved < w->moved.n) other = &news[w->moved.at[next->moved]];
    return !one || (other && other->place < one->place) ? other : one;
}

static inline int bits_for(size_t n) { return n > 1 ? 64 - __builtin_clzll(n - 1) : 0; }

/* Make room for `n` states. Where there have come to be more halves than fit into the octets of a
 * state, all are written anew, the last one first, for none gets fewer octets than it had. */
static int make_room(Kernel *k, size_t n) {
    States *states = &k->states, anew = *states;
    int first = bits_for(count(&k->halves[0])), second = bits_for(count(&k->halves[1]));
    if (first > 8 * states->octets - states->shift || second > states->shift) {
        while (first + second > 8 * anew.octets) anew.octets++;
        anew.shift = second + (8 * anew.octets - first - second) / 2;
    }
    if (grow((void **)&anew.at, &anew.room, n * anew.octets + BEHIND, 1)) return -1;
    *states = (States){anew.at, states->n, anew.room, states->octets, states->shift};
    if (anew.octets != states->octets || anew.shift != states->shift)
        for (size_t i = states->n; i--;) put_state(&anew, i, state_at(states, i));
    *states = anew;
    return 0;
}

/* Number the new states of a chunk, in order, and keep their places. */
static int number_new(Kernel *k) {
    Next next[MOST_THREADS] = {{0, 0}};
    New *first[MOST_THREADS];
    size_t n = k->states.n;
    k->places.n = 0;
    for (int t = 0; t < k->threads; t++) first[t] = next_new(&k->workers[t], &next[t]);
    for (;;) {
        int best = 0;
        for (int t = 1; t < k->threads; t++)
            if (first[t] && (!first[best] || first[t]->place < first[best]->place)) best = t;
        New *one = first[best];
        if (!one || one->place >> PLACE_BITS >= k->rows) break;
        if (n >= MOST_STATES) {
            PyErr_Format(PyExc_OverflowError, "more than %u states", MOST_STATES);
            return -1;
        }
        one->number = (u32)n++;
        if (add(&k->places, one->place)) return -1;
        *(one->moved ? &next[best].moved : &next[best].at) += 1;
        first[best] = next_new(&k->workers[best], &next[best]);
    }
    return make_room(k, n) ||
           grow((void **)&k->doubts, &k->doubts_room, k->places.n, 1);
}

/* Expand a state of the chunk, and hand its successors to the parts of the table. */
static int expand_alone(Kernel *k, u32 row, int *error) {
    k->alone.n = 0;
    int n = expand_fully(k, state_at(&k->states, k->from + row), &k->alone, NULL);
    if (n < 0) { /* what came before it still counts */
        k->rows = row;
        *error = 1;
        return 0;
    }
    k->counts[row] = (u32)n;
    for (int i = 0; i < n; i++) fetch_recent(k->recent, mix(k->alone.at[i]));
    for (int i = 0; i < n; i++) {
        u64 key = k->alone.at[i], hash = mix(key);
        if (is_recent(k->recent, key, hash)) continue;
        if (hand_over(&k->late[part_of(k, hash)], key, row << PLACE_BITS | (u32)i)) {
            PyErr_NoMemory();
            return -1;
        }
    }
    return 0;
}

/* Expand `rows` states from `from` on, and begin to look up what comes of them. Fewer where Python
 * fails: then `*error` is set. */
static int expand_chunk(Kernel *k, int *error) {
    const States *states = &k->states;
    if (together(k, EXPAND)) return -1;
    begin_step(k, LOOK_UP); /* by the other threads, while Python is asked here */
    for (int t = 0; t < k->threads; t++) k->late[t].n = 0;
    k->put_off.n = 0;
    for (u32 row = 0; row < k->rows; row++)
        if (k->counts[row] == PUT_OFF && add(&k->put_off, row)) return -1;
    const u32 *row = k->put_off.at;
    size_t n = k->put_off.n;
    enum { NEAR = 4 }; /* what they need is fetched first, as far as it is known already */
    for (size_t i = 0; i < n && !*error; i++) {
        if (i + 3 * NEAR < n) fetch_starts(k, state_at(states, k->from + row[i + 3 * NEAR]));
        if (i + 2 * NEAR < n) fetch_moves(k, state_at(states, k->from + row[i + 2 * NEAR]));
        if (i + NEAR < n) fetch_pokes(k, state_at(states, k->from + row[i + NEAR]));
        if (expand_alone(k, row[i], error)) return -1;
    }
    return 0;
}

/* Add the first state. */
static int begin(Kernel *k, u64 key) {
    k->states.octets = 1;
    if (make_room(k, 1)) return -1;
    put_state(&k->states, k->states.n++, key);
    if (add(&k->levels, 0)) return -1;
    for (int t = 0; t < k->threads; t++)
        if (widen(k, t, 1)) {
            PyErr_NoMemory();
            return -1;
        }
    return 0;
}

static PyObject *outcome(Kernel *k, PyObject *wrong, long long violating, const char *why) {
    size_t depth = k->levels.n - 1;
    if (k->levels.at[depth] >= k->states.n && depth) depth--;
    return Py_BuildValue(
        "nKnNLs", (Py_ssize_t)k->states.n, (unsigned long long)k->transitions, (Py_ssize_t)depth,
        wrong, violating, why
    );
}

/* Give how many new states there are up to the end of the row that the `i`-th one belongs to. */
static size_t end_of_row(const Ints *places, size_t i) {
    u32 row = places->at[i] >> PLACE_BITS;
    while (i < places->n && places->at[i] >> PLACE_BITS == row) i++;
    return i;
}

static u64 sum(const u32 *of, size_t n) {
    u64 all = 0;
    for (size_t i = 0; i < n; i++) all += of[i];
    return all;
}

static PyObject *searched(
    Kernel *k, PyObject *summary, PyObject *judge, PyObject *ask, unsigned long long most,
    unsigned long long deepest
) {
    const Ints *places = &k->places;
    long long violating = -1;
    PyObject *result = NULL, *type = NULL, *value = NULL, *trace = NULL;
    PyObject *wrong = NULL;
    for (; k->judged < k->states.n; k->judged++) { /* the first, or what came after a violation */
        wrong = judged(k, summary, judge, state_at(&k->states, k->judged));
        if (!wrong) return NULL;
        if (wrong != Py_None) return outcome(k, wrong, (long long)k->judged, "");
        Py_CLEAR(wrong);
    }
    if (k->cut) {
        for (int t = 0; t < k->threads; t++) {
            free_part(&k->parts[t]);
            k->parts[t].room = 0;
            forget_recent(k->workers[t].recent);
        }
        forget_recent(k->recent);
        if (together(k, MAKE_ANEW)) return NULL;
        k->cut = 0;
    }
    u32 chunks = 0;
    while (k->from < k->states.n) {
        size_t end = k->levels.at[k->levels.n - 1]; /* of the level */
        if (k->from == end) {
            if (k->levels.n - 1 > deepest) {
                result = outcome(k, Py_NewRef(Py_None), -1, "deep");
                goto done;
            }
            end = k->states.n;
            if (add(&k->levels, (u32)end)) goto done;
        }
        while (k->from < end) {
            int error = 0;
            k->rows = k->chunk = end - k->from < CHUNK ? end - k->from : CHUNK;
            if (k->rows >= WORTH_SHARING && start_threads(k)) goto done;
            k->cut = 1; /* until all that the chunk has brought is numbered */
            int failed = expand_chunk(k, &error);
            PyErr_Fetch(&type, &value, &trace);
            if (end_step(k)) goto done;
            if (failed) {
                PyErr_Restore(type, value, trace);
                type = value = trace = NULL;
                goto done;
            }
            size_t known = k->states.n;
            if (together(k, LOOK_UP_LATE) || number_new(k) || together(k, PUT_DOWN)) goto done;
            k->states.n += places->n;
            size_t stop = places->n, last = k->states.n;
            if (k->states.n > most) stop = most > known ? most - known : 0;
            for (size_t number = known; number < last && !wrong; number++) {
                if (!k->doubts[number - known]) continue;
                /* The row of the state that is one too many counts as a whole. */
                if (number >= known + stop && last == k->states.n)
                    last = known + end_of_row(places, stop);
                if (number >= last) break;
                wrong = judged(k, summary, judge, state_at(&k->states, number));
                if (!wrong) goto done;
                if (wrong == Py_None)
                    Py_CLEAR(wrong);
                else
                    violating = (long long)number;
            }
            if (wrong) stop = (size_t)violating - known;
            if (stop < places->n) {
                k->states.n = known + end_of_row(places, stop);
                size_t rows = (places->at[stop] >> PLACE_BITS) + 1;
                k->transitions += sum(k->counts, rows);
                k->from += rows;
                k->judged = wrong ? (size_t)violating : k->states.n;
                result = outcome(k, wrong ? wrong : Py_NewRef(Py_None), violating, wrong ? "" : "full");
                goto done;
            }
            if (error) {
                PyErr_Restore(type, value, trace);
                type = value = trace = NULL;
                goto done;
            }
            k->transitions += sum(k->counts, k->rows);
            k->judged = k->states.n;
            k->from += k->rows;
            k->cut = 0;
            if (chunks++ % 4 == 0 || k->rows == CHUNK) {
                if (PyErr_CheckSignals()) goto done;
                PyObject *stop = PyObject_CallFunction(
                    ask, "nnn", (Py_ssize_t)k->states.n, (Py_ssize_t)(k->states.n - end),
                    (Py_ssize_t)(k->levels.n - 2)
                );
                if (!stop) goto done;
                const char *why = PyUnicode_AsUTF8(stop);
                if (!why || *why) {
                    if (why) result = outcome(k, Py_NewRef(Py_None), -1, why);
                    Py_DECREF(stop);
                    goto done;
                }
                Py_DECREF(stop);
            }
        }
    }
    result = outcome(k, Py_NewRef(Py_None), -1, "");
done:
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(trace);
    return result;
}

static PyObject *kernel_run(Kernel *k, PyObject *arguments) {
    PyObject *summary, *judge, *ask;
    unsigned long long most, deepest;
    if (!PyArg_ParseTuple(arguments, "OOOKK", &summary, &judge, &ask, &most, &deepest)) return NULL;
    PyObject *result = searched(k, summary, judge, ask, most, deepest);
    stop_threads(k);
    return result;
}

static int is_state(Kernel *k, unsigned long long number) {
    if (number < k->states.n) return 1;
    PyErr_Format(PyExc_IndexError, "there is no state %llu", number);
    return 0;
}

static PyObject *kernel_row(Kernel *k, PyObject *argument) {
    unsigned long long number = PyLong_AsUnsignedLongLong(argument);
    if (PyErr_Occurred() || !is_state(k, number)) return NULL;
    return row_of(k, state_at(&k->states, number));
}

static int is_key(Kernel *k, u64 key) {
    if (key >> 32 < count(&k->halves[0]) && (u32)key < count(&k->halves[1])) return 1;
    PyErr_SetString(PyExc_IndexError, "there is no such half");
    return 0;
}

static PyObject *kernel_row_of(Kernel *k, PyObject *argument) {
    u64 key = PyLong_AsUnsignedLongLong(argument);
    return PyErr_Occurred() || !is_key(k, key) ? NULL : row_of(k, key);
}

/* Give what may come after a state, whether that was found or not. */
static PyObject *kernel_after(Kernel *k, PyObject *argument) {
    u64 key = PyLong_AsUnsignedLongLong(argument);
    if (PyErr_Occurred() || !is_key(k, key)) return NULL;
    Keys out = {0};
    int n = expand_fully(k, key, &out, NULL);
    PyObject *found = n < 0 ? NULL : PyList_New(n);
    for (int i = 0; found && i < n; i++) {
        PyObject *one = PyLong_FromUnsignedLongLong(out.at[i]);
        if (one)
            PyList_SET_ITEM(found, i, one);
        else
            Py_CLEAR(found);
    }
    free(out.at);
    return found;
}

/* Give what was found and how far the search is; see halves.Saved. */
static PyObject *kernel_saved(Kernel *k, PyObject *Py_UNUSED(nothing)) {
    PyObject *levels = PyList_New((Py_ssize_t)k->levels.n);
    for (size_t i = 0; levels && i < k->levels.n; i++)
        PyList_SET_ITEM(levels, i, PyLong_FromUnsignedLong(k->levels.at[i]));
    if (!levels) return NULL;
    PyObject *keys = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(k->states.n * sizeof(u64)));
    if (!keys) {
        Py_DECREF(levels);
        return NULL;
    }
    for (size_t i = 0; i < k->states.n; i++) {
        u64 key = state_at(&k->states, i);
        memcpy(PyBytes_AS_STRING(keys) + i * sizeof key, &key, sizeof key);
    }
    const Ints *left = &k->halves[0].all, *right = &k->halves[1].all;
    return Py_BuildValue(
        "Ny#y#NnKn", keys, left->at,
        (Py_ssize_t)(left->n * sizeof(u32)), right->at, (Py_ssize_t)(right->n * sizeof(u32)),
        levels, (Py_ssize_t)k->from, (unsigned long long)k->transitions, (Py_ssize_t)k->judged
    );
}

static PyObject *kernel_restore(Kernel *k, PyObject *arguments) {
    const char *keys, *cells[2];
    Py_ssize_t n, lengths[2], expanded, judged;
    PyObject *levels;
    unsigned long long transitions;
    if (!PyArg_ParseTuple(
            arguments, "y#y#y#O!nKn", &keys, &n, &cells[0], &lengths[0], &cells[1], &lengths[1],
            &PyList_Type, &levels, &expanded, &transitions, &judged
        ))
        return NULL;
    for (int side = 0; side < 2; side++) {
        size_t width = (size_t)k->width[side] * sizeof(u32);
        for (size_t at = 0; width && at + width <= (size_t)lengths[side]; at += width) {
            u32 half[256];
            memcpy(half, cells[side] + at, width);
            if (half_of(k, side, half) == NONE) return NULL;
        }
    }
    k->states.n = 0; /* what it had is not looked at again */
    if (make_room(k, (size_t)n / sizeof(u64))) return NULL;
    for (; k->states.n < (size_t)n / sizeof(u64); k->states.n++) {
        u64 key;
        memcpy(&key, keys + k->states.n * sizeof key, sizeof key);
        put_state(&k->states, k->states.n, key);
    }
    k->levels.n = 0;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(levels); i++)
        if (add(&k->levels, (u32)PyLong_AsUnsignedLong(PyList_GET_ITEM(levels, i)))) return NULL;
    k->from = (size_t)expanded;
    k->transitions = transitions;
    k->judged = (size_t)judged;
    k->cut = 1; /* the table of numbers is made anew */
    for (int t = 0; t < k->threads; t++) k->parts[t].n = k->states.n / k->threads + 1;
    return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
}

/* Give (code, number) of the successors of a state; those that were not reached are left out. */
static PyObject *kernel_successors(Kernel *k, PyObject *argument) {
    unsigned long long number = PyLong_AsUnsignedLongLong(argument);
    if (PyErr_Occurred() || !is_state(k, number)) return NULL;
    PyObject *found = PyList_New(0);
    Keys out = {0};
    Ints codes = {0};
    int n = found ? expand_fully(k, state_at(&k->states, number), &out, &codes) : -1;
    for (int i = 0; i < n; i++) {
        u64 hash = mix(out.at[i]);
        const Part *part = &k->parts[part_of(k, hash)];
        size_t bucket;
        u32 slot, after = look_up(k, part, NULL, out.at[i], hash, &bucket, &slot);
        if (after == NONE) continue;
        PyObject *pair = Py_BuildValue("II", codes.at[i], after);
        if (!pair || PyList_Append(found, pair)) n = -1;
        Py_XDECREF(pair);
    }
    free(out.at);
    free(codes.at);
    if (n < 0) Py_CLEAR(found);
    return found;
}

/* Find the way to a state: in each level before it, the first state that has it as a successor. */
static PyObject *kernel_path(Kernel *k, PyObject *argument) {
    unsigned long long number = PyLong_AsUnsignedLongLong(argument);
    if (PyErr_Occurred() || !is_state(k, number)) return NULL;
    PyObject *path = PyList_New(0);
    Keys out = {0};
    Ints codes = {0};
    size_t level = k->levels.n - 1;
    while (path && number) {
        u64 sought = state_at(&k->states, number);
        while (k->levels.at[level] > number) level--;
        size_t from = k->levels.at[level - 1];
        int found = -1;
        for (; found < 0; from++) {
            out.n = codes.n = 0;
            int n = expand_fully(k, state_at(&k->states, from), &out, &codes);
            if (n < 0) goto failed;
            for (int i = 0; i < n && found < 0; i++)
                if (out.at[i] == sought) found = i;
        }
        number = from - 1;
        PyObject *code = PyLong_FromUnsignedLong(codes.at[found]);
        if (!code || PyList_Append(path, code)) {
            Py_XDECREF(code);
            goto failed;
        }
        Py_DECREF(code);
    }
    if (path && PyList_Reverse(path)) goto failed;
    free(out.at);
    free(codes.at);
    return path;
failed:
    Py_XDECREF(path);
    free(out.at);
    free(codes.at);
    return NULL;
}

/* Mark the halves of a side that occur in the states that were found, and with them their cells. */
static int mark_cells(const Kernel *k, int side, u8 **cells, size_t *room) {
    const Interner *halves = &k->halves[side];
    u8 *occurs = calloc(count(halves) + 1, 1);
    if (!occurs) return -1;
    for (size_t i = 0; i < k->states.n; i++)
        occurs[(u32)(state_at(&k->states, i) >> (side ? 0 : 32))] = 1;
    int failed = 0;
    for (u32 half = 0; half < count(halves) && !failed; half++)
        for (int place = 0; occurs[half] && place < k->width[side] && !failed; place++) {
            u32 cell = sequence(halves, half)[place];
            if (cell >= *room) {
                size_t wide = 2 * (size_t)cell + 1;
                u8 *wider = realloc(*cells, wide);
                failed = !wider;
                if (failed) break;
                memset(wider + *room, 0, wide - *room);
                *cells = wider;
                *room = wide;
            }
            (*cells)[cell] = 1;
        }
    free(occurs);
    return failed ? -1 : 0;
}

/* Give the cells that occur in the states that were found. */
static PyObject *kernel_cells(Kernel *k, PyObject *Py_UNUSED(nothing)) {
    u8 *cells = NULL;
    size_t room = 0;
    PyObject *found = PySet_New(NULL);
    for (int side = 0; found && side < 2; side++)
        if (mark_cells(k, side, &cells, &room)) {
            PyErr_NoMemory();
            Py_CLEAR(found);
        }
    for (size_t cell = 0; found && cell < room; cell++) {
        PyObject *number = cells[cell] ? PyLong_FromSize_t(cell) : NULL;
        if (cells[cell] && (!number || PySet_Add(found, number))) Py_CLEAR(found);
        Py_XDECREF(number);
    }
    free(cells);
    return found;
}

/* Give how many octets the states take, and all else. */
static PyObject *kernel_memory(Kernel *k, PyObject *Py_UNUSED(nothing)) {
    size_t states = k->states.room, rest = 0;
    for (int t = 0; t < k->threads; t++) {
        states += k->parts[t].room * sizeof(Bucket);
        rest += k->workers[t].news.room * sizeof(New) + k->workers[t].moved.room * sizeof(u32);
        rest += (RECENT + 1) * sizeof(u64);
        for (int part = 0; part < k->threads; part++)
            rest += k->workers[t].out[part].room * sizeof(Item);
    }
    rest += (RECENT + 1) * sizeof(u64);
    rest += (k->said.room + k->moves_at.room) * sizeof(u32) + k->poked_at.room * 2 * sizeof(u64);
    rest += k->good.room * 2 * sizeof(u64);
    for (int side = 0; side < 2; side++) {
        const Interner *halves = &k->halves[side];
        rest += halves->all.room * sizeof(u32) + halves->room * sizeof(u64);
        rest += (k->starts[side].room + k->moves[side].room) * sizeof(u32);
        rest += (k->urgent[side].room + k->summary[side].room) * sizeof(u32);
        rest += k->pokes[side].room * 2 * sizeof(u64);
    }
    return Py_BuildValue("nn", (Py_ssize_t)states, (Py_ssize_t)rest);
}

static PyObject *kernel_halves(Kernel *k, PyObject *Py_UNUSED(nothing)) {
    return Py_BuildValue(
        "nn", (Py_ssize_t)count(&k->halves[0]), (Py_ssize_t)count(&k->halves[1])
    );
}

static Py_ssize_t kernel_length(Kernel *k) { return (Py_ssize_t)k->states.n; }

/* Get methods and tables of Cells by their names. */
static int get_asked(Kernel *k, PyObject *of) {
    for (int i = 0; i < ASKED; i++) {
        const char *name = ASKED_OF[i], *dot = strchr(name, '.');
        PyObject *inner = dot ? PyUnicode_FromStringAndSize(name, dot - name) : NULL;
        PyObject *holder = dot ? (inner ? PyObject_GetAttr(of, inner) : NULL) : Py_NewRef(of);
        k->of_cells[i] = holder ? PyObject_GetAttrString(holder, dot ? dot + 1 : name) : NULL;
        Py_XDECREF(inner);
        Py_XDECREF(holder);
        if (!k->of_cells[i]) return -1;
    }
    if (PyDict_Check(k->of_cells[IDS]) && PyList_Check(k->of_cells[VALUES])) return 0;
    PyErr_SetString(PyExc_TypeError, "cells are kept in a dict and a list");
    return -1;
}

static PyObject *kernel_new(PyTypeObject *type, PyObject *arguments, PyObject *names) {
    static char *known[] = {"cells", "sides", "first", "hurries", "threads", NULL};
    PyObject *of, *sides[2], *first;
    int hurries, threads;
    if (!PyArg_ParseTupleAndKeywords(
            arguments, names, "O(O!O!)O!pi", known, &of, &PyTuple_Type, &sides[0], &PyTuple_Type,
            &sides[1], &PyTuple_Type, &first, &hurries, &threads
        ))
        return NULL;
    if (PyTuple_GET_SIZE(first) > 255 || threads < 1 || threads > MOST_THREADS) {
        PyErr_SetString(PyExc_ValueError, "at most 255 components, and 1 to 64 threads");
        return NULL;
    }
    Kernel *k = (Kernel *)type->tp_alloc(type, 0);
    if (!k) return NULL;
    k->hurries = hurries;
    k->threads = threads;
    k->positions = (int)PyTuple_GET_SIZE(first);
    pthread_mutex_init(&k->lock, NULL);
    pthread_cond_init(&k->begin, NULL);
    pthread_cond_init(&k->end, NULL);
    for (int t = 0; t < threads; t++) {
        k->workers[t].kernel = k;
        k->workers[t].number = t;
    }
    k->counts = malloc(CHUNK * sizeof(u32));
    k->late = calloc(MOST_THREADS, sizeof(Items));
    k->recent = make_recent();
    int made = 0 < threads && k->counts && k->late && k->recent;
    for (int t = 0; t < threads; t++) {
        k->workers[t].out = calloc(threads, sizeof(Items));
        k->workers[t].recent = make_recent();
        made = made && k->workers[t].out && k->workers[t].recent;
    }
    if (!made) {
        PyErr_NoMemory();
        goto failed;
    }
    k->state_looks = PyDict_New();
    if (!k->state_looks || get_asked(k, of)) goto failed;
    u32 halves[2], cells[256];
    k->lists.width = k->looks.width = NO_WIDTH;
    if (intern(&k->lists, NULL, 0) == NONE) goto failed;
    for (int side = 0; side < 2; side++) {
        k->width[side] = (int)PyTuple_GET_SIZE(sides[side]);
        k->halves[side].width = (size_t)k->width[side];
        for (int place = 0; place < k->width[side]; place++) {
            size_t at = PyLong_AsSize_t(PyTuple_GET_ITEM(sides[side], place));
            if (PyErr_Occurred()) goto failed;
            if (at >= (size_t)k->positions) {
                PyErr_SetString(PyExc_ValueError, "there is no such position");
                goto failed;
            }
            k->side_of[at] = (u8)side;
            k->place_of[at] = (u8)place;
            k->position_of[side][place] = (u8)at;
            cells[place] = (u32)PyLong_AsUnsignedLong(PyTuple_GET_ITEM(first, at));
            if (PyErr_Occurred()) goto failed;
        }
        halves[side] = half_of(k, side, cells);
        if (halves[side] == NONE) goto failed;
    }
    if (k->width[0] + k->width[1] != k->positions) {
        PyErr_SetString(PyExc_ValueError, "the sides are not the positions");
        goto failed;
    }
    if (begin(k, (u64)halves[0] << 32 | halves[1])) goto failed;
    return (PyObject *)k;
failed:
    Py_DECREF(k);
    return NULL;
}

static void free_interner(Interner *of) {
    free(of->all.at);
    free(of->starts.at);
    free(of->index);
}

static void kernel_free(Kernel *k) {
    PyObject_GC_UnTrack(k);
    for (int i = 0; i < ASKED; i++) Py_XDECREF(k->of_cells[i]);
    Py_XDECREF(k->state_looks);
    Ints *ints[] = {&k->moves_at, &k->urgencies, &k->said, &k->queue, &k->across, &k->work,
                    &k->later, &k->levels, &k->cell_looks, &k->put_off, &k->places};
    for (size_t i = 0; i < sizeof ints / sizeof *ints; i++) free(ints[i]->at);
    for (int side = 0; side < 2; side++) {
        free_interner(&k->halves[side]);
        free(k->starts[side].at);
        free(k->moves[side].at);
        free(k->urgent[side].at);
        free(k->summary[side].at);
        free(k->pokes[side].at);
    }
    free_interner(&k->lists);
    free_interner(&k->looks);
    free(k->poked_at.at);
    free(k->good.at);
    free(k->states.at);
    free(k->alone.at);
    free(k->counts);
    free(k->doubts);
    for (int t = 0; t < MOST_THREADS; t++) {
        free_part(&k->parts[t]);
        free(k->workers[t].row.at);
        free(k->workers[t].moved.at);
        for (int part = 0; part < k->threads; part++) {
            if (k->workers[t].out) free(k->workers[t].out[part].at);
            if (k->late && !t) free(k->late[part].at);
        }
        free(k->workers[t].out);
        free(k->workers[t].recent);
        free(k->workers[t].news.at);
    }
    free(k->late);
    free(k->recent);
    pthread_mutex_destroy(&k->lock);
    pthread_cond_destroy(&k->begin);
    pthread_cond_destroy(&k->end);
    Py_TYPE(k)->tp_free((PyObject *)k);
}

static int kernel_traverse(Kernel *k, visitproc visit, void *arg) {
    for (int i = 0; i < ASKED; i++) Py_VISIT(k->of_cells[i]);
    Py_VISIT(k->state_looks);
    return 0;
}

static int kernel_clear(Kernel *k) {
    for (int i = 0; i < ASKED; i++) Py_CLEAR(k->of_cells[i]);
    Py_CLEAR(k->state_looks);
    return 0;
}

static PyMethodDef kernel_methods[] = {
    {"run", (PyCFunction)kernel_run, METH_VARARGS, "Search; see halves.Search.run."},
    {"saved", (PyCFunction)kernel_saved, METH_NOARGS, "Give what was found; see halves.Saved."},
    {"restore", (PyCFunction)kernel_restore, METH_VARARGS, "Put back what was saved."},
    {"row", (PyCFunction)kernel_row, METH_O, "Give the row of a state, by number."},
    {"row_of", (PyCFunction)kernel_row_of, METH_O, "Give the row of a state, by its key."},
    {"after", (PyCFunction)kernel_after, METH_O, "Give the keys of what may come after one."},
    {"successors", (PyCFunction)kernel_successors, METH_O, "Give the successors of a state."},
    {"path", (PyCFunction)kernel_path, METH_O, "Give the codes of a shortest way to a state."},
    {"cells", (PyCFunction)kernel_cells, METH_NOARGS, "Give the cells that occur."},
    {"memory", (PyCFunction)kernel_memory, METH_NOARGS, "Give octets of states, and of all else."},
    {"halves", (PyCFunction)kernel_halves, METH_NOARGS, "Count the halves of each side."},
    {NULL}
};

static PySequenceMethods kernel_sequence = {.sq_length = (lenfunc)kernel_length};

static PyTypeObject kernel_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "chc_ref.check._kernel.Kernel",
    .tp_basicsize = sizeof(Kernel),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "One search of one system.",
    .tp_new = kernel_new,
    .tp_dealloc = (destructor)kernel_free,
    .tp_traverse = (traverseproc)kernel_traverse,
    .tp_clear = (inquiry)kernel_clear,
    .tp_methods = kernel_methods,
    .tp_as_sequence = &kernel_sequence,
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, .m_name = "chc_ref.check._kernel",
    .m_doc = "The search of chc_ref.check.halves, compiled.", .m_size = -1
};

PyMODINIT_FUNC PyInit__kernel(void) {
    if (PyType_Ready(&kernel_type)) return NULL;
    PyObject *made = PyModule_Create(&module);
    if (made && PyModule_AddObjectRef(made, "Kernel", (PyObject *)&kernel_type)) {
        Py_DECREF(made);
        return NULL;
    }
    return made;
}
