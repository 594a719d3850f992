package session

import (
	"context"
	"fmt"

	"castellan/internal/eventlog"
	"castellan/internal/ident"
	"castellan/internal/store"
)

// removePage is how many sessions are held in memory while they end.
const removePage = 200

// RemoveAll ends all sessions of a user within a write that removes the user. Their tokens are of no use
// without them, for the user is gone; so is one that begins meanwhile. It returns the errors of store.Tx.
func RemoveAll(ctx context.Context, w *eventlog.Writer, d *store.Dialect, of ident.UserID) error {
	var last ident.SessionID
	for {
		ids, err := store.All(ctx, w, func(row store.Scanner) (id ident.SessionID, err error) { return id, row.Scan(&id) },
			`SELECT session_id FROM oidc_sessions WHERE instance_id = $1 AND user_id = $2 AND session_id > $3
 ORDER BY session_id LIMIT $4`, string(w.Instance()), string(of), string(last), removePage)
		if err != nil {
			return fmt.Errorf("list the sessions of a user of instance %s: %w", w.Instance(), err)
		}
		for _, id := range ids {
			held, err := get(ctx, w, d.ForUpdate, w.Instance(), id)
			if err != nil {
				return err
			}
			if !held.Exists() {
				continue // it has been swept
			}
			if _, err := eventlog.Append(ctx, w, Noun, held, Expired{}); err != nil {
				return err
			}
		}
		if err := w.Save(ctx); err != nil || len(ids) < removePage {
			return err
		}
		last = ids[len(ids)-1]
	}
}
