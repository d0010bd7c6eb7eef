/*
 * Two provisioners of one pool on one database, of which one leads at a time. A leader may be stopped between any two of its
 * steps, or lose its memory, while the other one takes over; a call that it has sent arrives whenever the network likes.
 * Checked: whoever writes with the newest epoch holds the lease; nothing is launched without a committed intent; there is never
 * more than one instance (max_instances: 1); nothing busy is terminated; and every run ends with all jobs done and nothing left.
 *
 * Each of these leaves one rule out, and then a check fails:
 *   NO_FENCE      the journal takes writes of every epoch
 *   NO_INTENT     a launch is called before its intent is committed
 *   NO_REPLAY     an open intent of an older epoch is closed without sending its request again
 *   NO_CONDEMN    nothing is committed before a termination, so the next leader may give the agent work again
 *   NO_REDISABLE  an agent whose undrain an older epoch left open is not disabled again before its instance is terminated
 *   FORGET_DRAIN  an undrain erases the drain of an older epoch, whose call may still arrive
 *   LATE_ENABLE   a leader may be stopped between its last look at its clock and the call that enables an agent, too. The
 *                 scheduler cannot refuse that call: this is the one gap that is left, and the model shows it.
 */
#define PROVISIONERS 2
#define TOKENS 3 /* intents, and the instances that they launch */
#define JOBS 3

/* The database. Each epoch is taken once. */
byte epoch;
byte holder = PROVISIONERS;
bool expired = true;
byte intents;             /* so many are committed */
bool committed[TOKENS];
byte openBy[TOKENS];      /* epoch of an intent that is not closed; 0: none */
byte drainBy[TOKENS];     /* the oldest epoch that drained the agent and whose call may be under way; 0: none */
byte undrainBy[TOKENS];   /* epoch of an undrain that is not known to have happened; 0: none */
bool condemned[TOKENS];

/* The cloud and the scheduler. */
bool launched[TOKENS];
bool live[TOKENS];
bool inService[TOKENS];
bool busy[TOKENS];
byte coming = JOBS;
byte waiting;
byte done;

/* Calls under way. */
bool sentLaunch[TOKENS];
bool sentTerminate[TOKENS];
bool sentDisable[TOKENS];
bool sentEnable[TOKENS];

/* `mine`: by its own clock, which ends before the database's, the process leads, with epoch `my`. */
bool mine[PROVISIONERS];
byte my[PROVISIONERS];

/* Bounded, so that every run ends. */
byte stops = 2;
bool mayCancel = true;

#define anyOpen (openBy[0] || openBy[1] || openBy[2])
#define anyLive (live[0] || live[1] || live[2])
#define over (done == JOBS && !anyLive && !anyOpen)

#ifdef NO_FENCE
#define newest true
#else
#define newest (epoch == my[p])
#endif

inline lose() { mine[p] = false; goto follow }

/* A write commits only in the newest epoch. */
#define write(change) \
  if \
  :: d_step { newest -> assert(epoch == my[p] && holder == p); change } \
  :: else -> lose() \
  fi

/* The own clock is looked at before a call; between that and the call the process may be stopped for as long as it likes. */
inline call(sent) {
  if
  :: mine[p] -> skip
  :: else -> lose()
  fi;
  sent = true;
  if
  :: !sent -> skip
  :: sent && !mine[p] -> lose()
  fi
}

inline settle() {
  if
  :: launched[k] -> skip
  :: else -> lose()
  fi;
  write(openBy[k] = 0)
}

proctype Provisioner(byte p) {
  byte k;
  bool isIdle;

follow:
  if
  :: d_step { expired -> epoch++; my[p] = epoch; holder = p; expired = false; mine[p] = true }
  :: atomic { over -> goto leave }
  fi;

  /* The intents that older epochs left open, the same bytes with the same token. */
  k = 0;
  do
  :: d_step { k < TOKENS && (openBy[k] == 0 || openBy[k] == my[p]) -> k++ }
  :: k < TOKENS && openBy[k] && openBy[k] != my[p] ->
#ifdef NO_REPLAY
     write(openBy[k] = 0)
#else
     call(sentLaunch[k]);
     settle()
#endif
  :: k == TOKENS -> break
  od;

  do
  :: !mine[p] -> goto follow
  :: atomic { over -> goto leave }

  :: mine[p] && waiting && !anyLive && !anyOpen && intents < TOKENS ->
     k = intents;
#ifdef NO_INTENT
     call(sentLaunch[k]);
     write(intents = k + 1; committed[k] = true; openBy[k] = my[p]);
#else
     write(intents = k + 1; committed[k] = true; openBy[k] = my[p]);
     call(sentLaunch[k]);
#endif
     settle()

  :: d_step { mine[p] && anyLive -> k = (live[0] -> 0 : (live[1] -> 1 : 2)) };
     if
     :: condemned[k] ->
        call(sentTerminate[k])

     /* Not needed: drained, seen idle after that, condemned, terminated. */
     :: !condemned[k] && !waiting && !busy[k] ->
        write(drainBy[k] = (drainBy[k] -> drainBy[k] : my[p]));
        if
#ifdef NO_REDISABLE
        :: inService[k] ->
           call(sentDisable[k])
#else
        :: inService[k] || (undrainBy[k] && undrainBy[k] != my[p]) ->
           call(sentDisable[k]);
           write(undrainBy[k] = 0)
#endif
        :: else -> skip
        fi;
        isIdle = live[k] && !inService[k] && !busy[k];
        if
        :: isIdle && !waiting ->
#ifndef NO_CONDEMN
           write(condemned[k] = true);
#endif
           call(sentTerminate[k])
        :: else -> skip
        fi

     /* Needed again. */
     :: !condemned[k] && waiting && !busy[k] && drainBy[k] && !inService[k] ->
        write(undrainBy[k] = my[p]);
#ifdef LATE_ENABLE
        call(sentEnable[k]);
#else
        if
        :: d_step { mine[p] -> sentEnable[k] = true }
        :: else -> lose()
        fi;
        if
        :: !sentEnable[k] -> skip
        :: sentEnable[k] && !mine[p] -> lose()
        fi;
#endif
#ifdef FORGET_DRAIN
        write(undrainBy[k] = 0; drainBy[k] = 0)
#else
        write(undrainBy[k] = 0; drainBy[k] = (drainBy[k] == my[p] -> 0 : drainBy[k]))
#endif

     /* In service: waits until there is something to do. */
     :: !condemned[k] && (busy[k] || (waiting && (inService[k] || !drainBy[k]))) ->
        (!mine[p] || !live[k] || (!busy[k] && (!waiting || (drainBy[k] && !inService[k]))))
     fi
  od;

leave:
  mine[p] = false
}

/* Leaders lose their lease, by their own clock first; jobs come, and one may be cancelled while it waits. */
active proctype World() {
end:
  do
  :: d_step { stops > 0 && !expired && holder < PROVISIONERS -> stops--; mine[holder] = false }
  :: d_step { !expired && holder < PROVISIONERS && !mine[holder] -> expired = true }
  :: d_step { coming > 0 -> coming--; waiting++ }
  :: d_step { mayCancel && waiting > 0 -> mayCancel = false; waiting--; done++ }
  od
}

/* A token launches once, however often it is sent. */
#define instance(k) \
  :: d_step { \
       sentLaunch[k] -> \
       sentLaunch[k] = false; \
       assert(committed[k]); \
       if :: !launched[k] -> launched[k] = true; live[k] = true; inService[k] = true :: else fi; \
       assert(live[0] + live[1] + live[2] <= 1) \
     } \
  :: d_step { \
       sentTerminate[k] -> \
       sentTerminate[k] = false; \
       assert(!(live[k] && busy[k])); \
       live[k] = false; \
       inService[k] = false \
     }

active proctype Cloud() {
end:
  do
  instance(0)
  instance(1)
  instance(2)
  od
}

/* Calls that were really sent arrive in order: an enable before a disable that another process sent later. */
#define agent(k) \
  :: d_step { sentDisable[k] && !sentEnable[k] -> sentDisable[k] = false; inService[k] = false } \
  :: d_step { sentEnable[k] -> sentEnable[k] = false; inService[k] = live[k] } \
  :: d_step { waiting && live[k] && inService[k] && !busy[k] -> busy[k] = true; waiting-- } \
  :: d_step { busy[k] -> busy[k] = false; done++ }

active proctype Scheduler() {
end:
  do
  agent(0)
  agent(1)
  agent(2)
  od
}

init {
  atomic { run Provisioner(0); run Provisioner(1) }
}
