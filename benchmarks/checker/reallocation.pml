/*
 * Moving flows between two instances of one vertex, for Spin: the module
 * specs/Reallocation.tla action by action, under the same names, and so the steps of the core.
 *
 * `instance.h` is made from the model of the core: P packets, F flows, M moves, FLOW(k), HOME(f),
 * TAKEN(m) and TO(m) (flow and target of the m-th move, from 0), COUNTS and EAGER.
 *
 * Each d_step is one action.  Sequences are channels; a message is one number, `KIND` above, then
 * two or three digits to the base of 16.  A sequence of clocks that is a value is a number in
 * octal.  What no action reads between two steps is `hidden`, or empty.
 */
#include "instance.h"

#define N 2
#define E (M + 1)
#define NOBODY N
#define UNKNOWN (P + 1)

#define CODE(kind, a, b) ((kind) * 256 + (a) * 16 + (b))
#define KIND(x) ((x) / 256)
#define HIGH(x) (((x) / 16) % 16)
#define LOW(x) ((x) % 16)

#define PACKET 1 /* clock, epoch */
#define LAST 2 /* flow, epoch */
#define DELETED 3 /* clock */
#define COPY 1 /* clock; at the gate */
#define MARK 2 /* + instance: flow, epoch; at the gate */
#define ACQUIRE 1 /* + 4 * source: flow, epoch */
#define RELEASE 2 /* + 4 * source: flow, epoch */
#define APPLY 3 /* clock, object */
#define PASSED 15 /* flow, epoch; other items of the sink are outputs: clock, epoch, shown */
#define SINCE 0 /* + clock: flow, epoch; to the root */
#define MOVE 16 /* + instance: flow, epoch; to the root */

#define OWN 0
#define SHARED 1
#define LOGGED 1
#define ENDED 2
#define SIGNAL(object) (4 << (object))
#define ALL (LOGGED + ENDED + SIGNAL(OWN) + COUNTS * SIGNAL(SHARED))

#define TENURE(f, e) ((f) * E + (e))
#define OWNED(i, f) ((i) * F + (f))
#define BLOCKED(i, f, e) (((i) * F + (f)) * E + (e))
#define MARKS(e) ((1 << ((e) + 1)) - 2)
#define MAY_PASS(f, e) ((passed[f] & MARKS(e)) == MARKS(e))

/* root */
byte arrived;
byte log[P + 1];
byte tenures[F] = 1;
byte at[F * E] = HOMES;
byte since[F * E];
chan gate = [P + M + 1] of { short };

/* instances: an epoch that is owned is one more, and 0 is none */
short work[N];
chan ready[N] = [P + M + 1] of { short };
chan queue[N] = [P + M + 1] of { short };
chan blocked[N * F * E] = [P + 1] of { short };
byte owned[N * F];
int value[N * F];
chan unflushed[N] = [P + 1] of { byte };

/* store */
byte owner[F] = NOBODY, epoch[F];
chan parked[F] = [2 * E] of { short };
int applied[F], counted;

/* manager */
byte asked;
byte targets[F], target[F * E];
byte begins[F], begun[F * E];
byte under_way[F];

/* sink */
byte passed[F];
chan held = [P + 1] of { short };
short delivered[P + 1];
byte gone;

/* channels */
chan to_instance[N] = [2 * P + M + 1] of { short };
chan to_root[N] = [P + 1] of { byte };
chan to_store[N] = [2 * P + 2 * M + 3] of { short };
chan from_store[N] = [E + F + 1] of { byte, int };
chan to_manager[N] = [M + 1] of { byte };
chan to_sink[N] = [P + M + 1] of { short };
chan commits = [2 * P + 1] of { byte };
chan questions = [F * E + 1] of { short };
chan orders = [2 * M + P + 1] of { short };

/* within one step only */
chan todo = [2 * E + 2] of { short };
chan sorted = [P + 1] of { short };
hidden short item, other;
hidden int amount, rest;
hidden byte f, e, k, n, remaining;
hidden byte shut;

/* ------------------------------------------------------------------ root */

inline pass() { /* `item`, unless the gate is shut */
    if
    :: shut -> gate ! item
    :: else ->
        if
        :: KIND(item) != COPY ->
            to_instance[KIND(item) - MARK] ! CODE(LAST, HIGH(item), LOW(item))
        :: else ->
            k = HIGH(item);
            f = FLOW(k);
            e = tenures[f] - 1;
            if
            :: since[TENURE(f, e)] == UNKNOWN ->
                shut = true;
                gate ! item;
                questions ! CODE(k, f, e)
            :: else ->
                do
                :: since[TENURE(f, e)] > k -> e--
                :: else -> break
                od;
                to_instance[at[TENURE(f, e)]] ! CODE(PACKET, k, e)
            fi
        fi
    fi
}

inline end_if_over(clock) {
    if
    :: log[clock] == ALL -> log[clock] = 0
    :: else -> skip
    fi
}

/* ------------------------------------------------------------------ instance */

inline flush(i) {
    do
    :: len(unflushed[i]) > 0 -> unflushed[i] ? k; to_store[i] ! CODE(APPLY, k, OWN)
    :: else -> break
    od
}

inline process(i) { /* the packet `item` of flow f */
    k = HIGH(item);
    value[OWNED(i, f)] = (COUNTS -> value[OWNED(i, f)] + 1 : value[OWNED(i, f)] * 8 + k);
    work[i] = CODE(k, e, (COUNTS -> value[OWNED(i, f)] : 0));
    unflushed[i] ! k;
    if
    :: COUNTS -> to_store[i] ! CODE(APPLY, k, SHARED)
    :: else -> skip
    fi;
    if
    :: EAGER -> flush(i)
    :: else -> skip
    fi;
    to_root[i] ! HIGH(item)
}

inline hand_over(i) { /* by the mark `item` */
    flush(i);
    owned[OWNED(i, f)] = 0;
    value[OWNED(i, f)] = 0;
    to_store[i] ! CODE(RELEASE + 4 * i, f, e);
    to_manager[i] ! LOW(item) + 16 * f;
    to_sink[i] ! CODE(PASSED, f, e)
}

inline take(i) {
    e = LOW(item);
    if
    :: KIND(item) == PACKET ->
        f = FLOW(HIGH(item));
        if
        :: len(blocked[BLOCKED(i, f, e)]) > 0 -> blocked[BLOCKED(i, f, e)] ! item
        :: else ->
            if
            :: owned[OWNED(i, f)] == e + 1 -> process(i)
            :: else ->
                flush(i);
                blocked[BLOCKED(i, f, e)] ! item;
                to_store[i] ! CODE(ACQUIRE + 4 * i, f, e)
            fi
        fi
    :: else ->
        f = HIGH(item);
        if
        :: len(blocked[BLOCKED(i, f, e - 1)]) > 0 -> blocked[BLOCKED(i, f, e - 1)] ! item
        :: else -> hand_over(i)
        fi
    fi
}

inline work_on(i) { /* until a packet is in work, or nothing is remaining to do */
    do
    :: work[i] != 0 -> break
    :: work[i] == 0 && len(ready[i]) > 0 -> ready[i] ? item; take(i)
    :: work[i] == 0 && len(ready[i]) == 0 && len(queue[i]) > 0 -> queue[i] ? item; take(i)
    :: work[i] == 0 && len(ready[i]) == 0 && len(queue[i]) == 0 -> break
    od
}

/* ------------------------------------------------------------------ store */

inline serve() { /* the request in `todo`, and what it lets pass */
    do
    :: len(todo) > 0 ->
        todo ? item;
        f = HIGH(item);
        e = LOW(item);
        if
        :: KIND(item) % 4 == ACQUIRE && e > epoch[f] -> parked[f] ! item
        :: KIND(item) % 4 == RELEASE && e > epoch[f] + 1 -> parked[f] ! item
        :: KIND(item) % 4 == RELEASE && e <= epoch[f] -> skip
        :: else ->
            if
            :: KIND(item) % 4 == ACQUIRE ->
                owner[f] = KIND(item) / 4;
                amount = applied[f];
                if
                :: COUNTS ->
                    rest = amount;
                    amount = 0;
                    do
                    :: rest > 0 -> rest = rest / 8; amount++
                    :: else -> break
                    od
                :: else -> skip
                fi;
                from_store[owner[f]] ! f * 16 + e, amount
            :: else -> owner[f] = NOBODY
            fi;
            if
            :: e != epoch[f] ->
                epoch[f] = e;
                do
                :: len(parked[f]) > 0 -> parked[f] ? item; todo ! item
                :: else -> break
                od
            :: else -> skip
            fi
        fi
    :: else -> break
    od
}

/* ------------------------------------------------------------------ sink */

inline leave() { /* `item`, or be held back */
    if
    :: MAY_PASS(FLOW(KIND(item)), HIGH(item)) -> delivered[gone] = item; gone++
    :: else -> held ! item
    fi
}

/* ------------------------------------------------------------------ actions */

inline about(i) { /* an instance */
    if
    :: d_step { /* InstanceTakesPacket, InstanceTakesLastMark, InstanceTakesDeleted */
        to_instance[i] ? item ->
        if
        :: KIND(item) != DELETED -> queue[i] ! item
        :: KIND(item) == DELETED && KIND(work[i]) == HIGH(item) ->
            to_sink[i] ! work[i];
            work[i] = 0
        :: else -> skip
        fi;
        work_on(i);
        skip
       }
    :: d_step { /* InstanceTakesGranted */
        from_store[i] ? other, amount ->
        f = other / 16;
        e = other % 16;
        owned[OWNED(i, f)] = e + 1;
        value[OWNED(i, f)] = amount;
        do
        :: len(blocked[BLOCKED(i, f, e)]) > 0 -> blocked[BLOCKED(i, f, e)] ? item; ready[i] ! item
        :: else -> break
        od;
        work_on(i);
        skip
       }
    :: d_step { /* FlushTimer */
        len(unflushed[i]) > 0 ->
        flush(i);
        skip
       }
    :: d_step { /* RootTakesDelete */
        to_root[i] ? k ->
        log[k] = log[k] | ENDED;
        to_instance[i] ! CODE(DELETED, k, 0);
        end_if_over(k)
       }
    :: d_step { /* StoreTakesApply, StoreTakesAcquire, StoreTakesRelease */
        to_store[i] ? item ->
        if
        :: KIND(item) == APPLY ->
            k = HIGH(item);
            f = FLOW(k);
            if
            :: LOW(item) == SHARED -> counted = counted * 8 + k; commits ! k * 16 + SHARED
            :: LOW(item) == OWN && owner[f] == i ->
                applied[f] = applied[f] * 8 + k;
                commits ! k * 16 + OWN
            :: else -> skip
            fi
        :: else -> todo ! item; serve()
        fi
       }
    :: d_step { /* ManagerTakesHandedOver */
        to_manager[i] ? other ->
        under_way[other / 16] = under_way[other / 16] & ~(1 << (other % 16))
       }
    :: d_step { /* SinkTakesOutput, SinkTakesPassed */
        to_sink[i] ? item ->
        if
        :: KIND(item) != PASSED -> leave()
        :: else ->
            passed[HIGH(item)] = passed[HIGH(item)] | (1 << LOW(item));
            e = 0;
            do
            :: e < E ->
                remaining = len(held);
                do
                :: remaining > 0 ->
                    held ? item;
                    remaining--;
                    if
                    :: HIGH(item) == e -> sorted ! item
                    :: else -> held ! item
                    fi
                :: else -> break
                od;
                e++
            :: else -> break
            od;
            do
            :: len(sorted) > 0 -> sorted ? item; leave()
            :: else -> break
            od
        fi
       }
    fi
}

active proctype chain() {
end:
    do
    :: d_step { /* Arrive */
        arrived < P ->
        arrived++;
        log[arrived] = LOGGED;
        item = CODE(COPY, arrived, 0);
        shut = len(gate) > 0;
        pass()
       }
    :: d_step { /* AskMove */
        asked < M ->
        f = TAKEN(asked);
        n = TO(asked);
        asked++;
        if
        :: n == (targets[f] == 0 -> HOME(f) : target[TENURE(f, targets[f] - 1)]) -> skip
        :: else ->
            target[TENURE(f, targets[f])] = n;
            targets[f]++;
            under_way[f] = under_way[f] | (1 << targets[f]);
            orders ! CODE(MOVE + n, f, targets[f])
        fi
       }
    :: d_step { /* RootTakesMove, RootTakesSince */
        orders ? item ->
        f = HIGH(item);
        e = LOW(item);
        if
        :: KIND(item) >= MOVE ->
            at[TENURE(f, tenures[f])] = KIND(item) - MOVE;
            since[TENURE(f, tenures[f])] = UNKNOWN;
            item = CODE(MARK + at[TENURE(f, tenures[f] - 1)], f, e);
            tenures[f]++;
            shut = len(gate) > 0;
            pass()
        :: else ->
            n = 0;
            do
            :: n <= e && n < tenures[f] ->
                if
                :: since[TENURE(f, n)] == UNKNOWN -> since[TENURE(f, n)] = KIND(item) - SINCE
                :: else -> skip
                fi;
                n++
            :: else -> break
            od;
            remaining = len(gate);
            shut = false;
            do
            :: remaining > 0 -> gate ? item; remaining--; pass()
            :: else -> break
            od
        fi
       }
    :: d_step { /* RootTakesCommitted */
        commits ? other ->
        k = other / 16;
        if
        :: log[k] != 0 -> log[k] = log[k] | SIGNAL(other % 16); end_if_over(k)
        :: else -> skip
        fi
       }
    :: d_step { /* ManagerTakesBegin */
        questions ? item ->
        f = HIGH(item);
        e = LOW(item);
        do
        :: begins[f] < e -> begun[TENURE(f, begins[f])] = KIND(item); begins[f]++
        :: else -> break
        od;
        orders ! CODE(SINCE + begun[TENURE(f, e - 1)], f, e)
       }
    :: about(0)
    :: about(1)
    od
}
