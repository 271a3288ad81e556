// The figures at which rules fire. docs/advise.md repeats them, with what follows for users.
#pragma once

namespace mayfly::advise {

// Any rule: fewer cases than these are accidents.
inline constexpr double kFewRequests = 20;
inline constexpr double kFewEvents = 5;  ///< starts, deaths, passed deadlines

// Rules about how load is spread over time need time: ten minutes show a burst from a level.
inline constexpr double kShortHistory_s = 600;

// steady-load. Below one in flight a process would idle most of the time. The quietest tenth of the time has
// half of the mean, or the processes would idle then. A service is deployed, watched and restarted by its
// owner: that is worth 30 %, not less. Its processes are planned to be busy 80 % of the time: beyond that,
// queues grow steeply (M/M/c).
inline constexpr double kSteadyInFlight = 1.0;
inline constexpr double kSteadyLow = 0.5;
inline constexpr double kServiceCostsAtMost = 0.7;
inline constexpr double kProcessBusy = 0.8;

// longer-than-deadline. One request in a hundred is what callers notice; where waiting takes half of the
// deadline, the queue is the cause and not the work. A minute is what proxies and browsers wait for an
// answer.
inline constexpr double kOverdueShare = 0.01;
inline constexpr double kWaitingShareOfTimeout = 0.5;
inline constexpr double kPatience_s = 60;
inline constexpr double kTimeoutFactor = 3;

// background. A schedule's or queue's caller does not wait; one in twenty may (tests by hand). Work of less
// than a second is over before being moved out of anyone's way pays.
inline constexpr double kUnattendedShare = 0.95;
inline constexpr double kBackgroundWall_s = 1.0;
inline constexpr double kBackgroundCostsAtMost = 0.9;

// loaded-at-each-start. A quarter of a second is felt by a caller. A runtime with a small function has less
// than 48 MiB (Node, the largest); 64 MiB more than that is data, and slows each fork, too.
inline constexpr double kLoad_s = 0.25;
inline constexpr double kRuntimeGib = 48.0 / 1024;
inline constexpr double kLargeGib = 64.0 / 1024;

// chatty-chain. A call costs about 0.1 ms of the platform's work and is paid as a request; below 5 ms it does
// little else. Three a request are a habit and not a step; half of the caller's time is then theirs.
inline constexpr double kSmallCall_s = 0.005;
inline constexpr double kCallsPerRequest = 3;
inline constexpr double kCallsShare = 0.5;

// cold-starts. A tenth of a second is felt; one request in a hundred is met often enough to matter. Less than
// one request an hour: memory kept for 3600 s to save one start.
inline constexpr double kStart_s = 0.1;
inline constexpr double kStartShare = 0.01;
inline constexpr double kRequestsPerHour = 1;

// kept-for-nothing. Of what is kept, so little is ever used; or a start is so short that nobody would notice.
inline constexpr double kKeptUse = 0.01;
inline constexpr double kShortStart_s = 0.02;

// deaths, costly-isolation. With isolation = "request" each invocation has a fork of its own: about 1 ms
// until it is reaped (0.2 ms for a C process, 1.0 ms for Node). Up to 2 % of the work that is as good as
// free; from 20 % on it is worth asking what it protects.
inline constexpr double kFork_s = 0.001;
inline constexpr double kDeathShare = 0.01;
inline constexpr double kForkIsFree = 0.02;
inline constexpr double kForkIsMuch = 0.2;
inline constexpr double kManyRequests = 10'000;

// What a history must have for a finding to be believed.
inline constexpr double kDay_s = 86'400;
inline constexpr double kNight_s = 3 * 3'600;  ///< of night seen, to know what nights are like
inline constexpr double kMediumRequests = 100;
inline constexpr double kHighRequests = 1'000;

}  // namespace mayfly::advise
