package listing

import "slices"

// Condition is one on the rows of a list that may stand within others, as All, Any and Not make them. What
// its texts are is agreed between those who make it and who give them to [List.Meet]: the same columns, in
// the same order.
type Condition struct {
	// Meets reports whether a row meets the condition, by the texts of its columns; nil is NULL.
	Meets func(texts []*string) bool
	// Narrow says to a list what the condition says that the database can find rows by; nil: nothing.
	Narrow func(l *List)
	// Exact: Narrow says all there is to say.
	Exact bool
}

// All is the condition that all of some are met.
func All(of []Condition) Condition {
	c := Condition{Exact: true, Meets: func(texts []*string) bool {
		return !slices.ContainsFunc(of, func(c Condition) bool { return !c.Meets(texts) })
	}, Narrow: func(l *List) {
		for _, c := range of {
			if c.Narrow != nil {
				c.Narrow(l)
			}
		}
	}}
	for _, one := range of {
		c.Exact = c.Exact && one.Exact
	}
	return c
}

// Any is the condition that one of some is met.
func Any(of []Condition) Condition {
	return Condition{Meets: func(texts []*string) bool {
		return slices.ContainsFunc(of, func(c Condition) bool { return c.Meets(texts) })
	}}
}

// Not is the condition that another is not met.
func Not(of Condition) Condition {
	return Condition{Meets: func(texts []*string) bool { return !of.Meets(texts) }}
}

// Meet adds conditions, all of which must hold. The database finds rows by what they say to it; the rest,
// if any, is asked of each row that is left, with the texts of columns.
func (l *List) Meet(conditions []Condition, columns ...string) {
	all := All(conditions)
	all.Narrow(l)
	if !all.Exact {
		l.Check(all.Meets, columns...)
	}
}
