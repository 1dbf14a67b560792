/*
 * v2_budget: frames that cost the peer next to nothing and us a little are paid for from a budget,
 * which fills up with time and with requests that were served.  A client that asks for things never
 * sees its end; one that plays (resets in a row, floods of PING or SETTINGS, empty frames) does soon.
 */
#include "http/v2/v2.h"

enum {
    BUDGET = 10000,                    /* at most: a thousand resets in a row */
    BUDGET_PER_SECOND = 500,
};

void v2_budget_init(struct v2 *v)
{
    v->budget = BUDGET;
    v->budget_ms = clock_ms();
}

void v2_earn(struct v2 *v, int worth)
{
    v->budget = v->budget + worth < BUDGET ? v->budget + worth : BUDGET;
}

bool v2_charge(struct v2 *v, int cost)
{
    v->budget -= cost;
    if (v->budget >= 0)
        return true;
    uint64_t ms = clock_ms() - v->budget_ms;
    uint64_t earned = ms < 1000 * BUDGET ? ms * BUDGET_PER_SECOND / 1000 : BUDGET;
    v->budget_ms += ms;
    v2_earn(v, (int)earned);
    if (v->budget >= 0)
        return true;
    v2_fail(v, FRAME_ENHANCE_YOUR_CALM, "too many frames of little use");
    return false;
}
