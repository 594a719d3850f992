package search

import (
	"strconv"
	"strings"

	"golang.org/x/text/cases"
)

// Fold returns a text in the form in which texts are compared without regard to case: folded (Unicode
// section 5.18.4), so that STRASSE and straße are the same. A table that is searched in this way
// keeps the folded text in a column beside the text itself.
func Fold(text string) string { return cases.Fold().String(text) }

// Where collects the conditions of a list that the database searches, and the arguments of its
// statement. The zero Where has none. Values never become part of the SQL; what does must be
// constant text.
type Where struct {
	conditions []string
	args       []any
}

// Arg adds an argument and returns the parameter that stands for it, such as $3.
func (w *Where) Arg(value any) string {
	w.args = append(w.args, value)
	return "$" + strconv.Itoa(len(w.args))
}

// And adds a condition, which may hold parameters that [Where.Arg] has returned.
func (w *Where) And(condition string) { w.conditions = append(w.conditions, condition) }

// Any adds the condition that one of several holds; that none does when there are none.
func (w *Where) Any(conditions ...string) {
	if len(conditions) == 0 {
		conditions = []string{"FALSE"}
	}
	w.And("(" + strings.Join(conditions, " OR ") + ")")
}

// Text adds the condition that a column meets t, with the same outcome as [Text.Matcher]. folded is
// the column that holds what [Fold] returns for the first.
func (w *Where) Text(column, folded string, t Text) {
	if condition := w.Match(column, folded, t); condition != "" {
		w.And(condition)
	}
}

// Match returns the condition that [Where.Text] would add; it is empty when every text meets it.
//
// It avoids LIKE, whose characters with a meaning would have to be escaped and for which the case of
// a letter is not the same on every engine.
func (w *Where) Match(column, folded string, t Text) string {
	if t.Method%2 == 1 {
		column, t.Value = folded, Fold(t.Value)
	}
	if t.Value == "" && t.Method >= StartsWith && t.Method <= EndsWithIgnoreCase {
		return "" // every text has it at its beginning, within and at its end
	}
	value := w.Arg(t.Value)
	switch t.Method {
	case StartsWith, StartsWithIgnoreCase:
		return "substr(" + column + ", 1, length(" + value + ")) = " + value
	case Contains, ContainsIgnoreCase:
		return "replace(" + column + ", " + value + ", '') <> " + column
	case EndsWith, EndsWithIgnoreCase:
		return "(length(" + column + ") >= length(" + value + ") AND substr(" + column +
			", length(" + column + ") - length(" + value + ") + 1) = " + value + ")"
	default:
		return column + " = " + value
	}
}

// SQL returns the conditions as the WHERE of a statement, empty when there are none.
func (w *Where) SQL() string {
	if len(w.conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conditions, " AND ")
}

// Args returns the arguments, in the order of their parameters.
func (w *Where) Args() []any { return w.args }
