// Package usage counts what instances use of their quotas, and says when nothing is left.
//
// It owns the counting in memory, and when what was counted is written. What a quota is, how periods
// follow each other, and the table of what was used belong to quota; what is a use, and who is
// refused, is decided by who calls [Meter.Admit]: dispatch, for authenticated requests.
//
// Counting writes nothing. What has been counted is added to the table at every tick, of up to a
// thousand instances in one transaction; a notification that becomes due is appended and put up for
// delivery in the same one. So:
//   - on one node a limit holds exactly: not one use more is admitted, also while others count at the
//     same time, and after an orderly restart;
//   - of the use on other nodes a node knows what they had written when it last wrote or read itself.
//     Several nodes together may exceed a limit by what the others admit between two ticks;
//   - a crash loses what was counted since the last tick. Should the connection break while a
//     transaction commits, its outcome is unknown: what it had counted is counted again;
//   - an instance whose quota is not used costs nothing: its counter is dropped at the tick after the
//     last use.
//
// Beside it: provision and roster, the other packages that need several nouns. delivery (an inner
// ring) brings notifications to where they go.
package usage
