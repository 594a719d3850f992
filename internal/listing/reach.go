package listing

import (
	"strings"

	"castellan/internal/call"
)

// Columns are those of a list that say where its rows lie. An empty one is none: no row lies in
// anything of that kind.
type Columns struct {
	// Org is the organization, OtherOrg a second one whose administrators see the row as well.
	Org, OtherOrg string
	Project       string
	Grant         string // the grant of a project
	// Self is the user whose own the row is, who sees it without any permission.
	Self string
}

// Within adds the condition that a row lies in the reach of a permission, so that a page holds what a
// caller may see and counts nothing else. All lists of an instance's own API have it.
func (l *List) Within(r call.Reach, c Columns) {
	if !r.Instance {
		l.And(l.Reached(r, c))
	}
}

// Reached returns the condition that [List.Within] adds, for lists whose rows are of several kinds. It may
// be part of any other.
func (l *List) Reached(r call.Reach, c Columns) string {
	if r.Instance {
		return "TRUE"
	}
	any := []string{"FALSE"}
	if len(r.Orgs) > 0 {
		for _, column := range []string{c.Org, c.OtherOrg} {
			if column != "" {
				any = append(any, l.dialect.InList(column, l.Arg(texts(r.Orgs))))
			}
		}
	}
	if c.Project != "" && len(r.Projects) > 0 {
		any = append(any, l.dialect.InList(c.Project, l.Arg(texts(r.Projects))))
	}
	if c.Grant != "" && len(r.Grants) > 0 {
		any = append(any, l.dialect.InList(c.Grant, l.Arg(texts(r.Grants))))
	}
	if c.Self != "" && r.Self != "" {
		any = append(any, c.Self+" = "+l.Arg(r.Self))
	}
	if len(any) > 1 {
		any = any[1:]
	}
	return "(" + strings.Join(any, " OR ") + ")"
}

// texts are ids as a list for store.Dialect.InList.
func texts[ID ~string](ids []ID) []string {
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = string(id)
	}
	return list
}
