package search_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"castellan/internal/search"
	"castellan/internal/store"
	"castellan/internal/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// texts are what is searched and what is searched for.
var texts = []string{
	"", "a", "Ada", "ada", "Ad", "aD", "DA", "d", "100%", "%", "a_c", "abc", `a\c`, `\`, "a*c[b]", "a''b", "'",
	"ÉCOLE", "école", "ecole", "Straße", "STRASSE", "ΣΊΣΥΦΟΣ", "σίσυφος", "Иван", "ИВ", "日本語", "本", "語", "🎉 a", " ", "a ",
}

// Every engine finds what Matcher finds, and nothing else.
func TestWhereText(t *testing.T) {
	storetest.EachEngine(t, func(t *testing.T, db store.DB) {
		err := db.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
			return tx.Exec(ctx, `CREATE TABLE words (word TEXT NOT NULL, folded TEXT NOT NULL)`)
		})
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(t.Context(), func(ctx context.Context, tx store.Tx) error {
			for _, text := range texts {
				if err := tx.Exec(ctx, `INSERT INTO words (word, folded) VALUES ($1, $2)`, text, search.Fold(text)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, value := range texts {
			for method := search.Equals; method <= search.EndsWithIgnoreCase+1; method++ {
				condition := search.Text{Value: value, Method: method}
				var where search.Where
				where.Text("word", "folded", condition)
				got, err := store.All(t.Context(), db, scanText, `SELECT word FROM words`+where.SQL(), where.Args()...)
				if err != nil {
					t.Fatalf("%+v: %v", condition, err)
				}
				match := condition.Matcher()
				want := slices.DeleteFunc(slices.Clone(texts), func(text string) bool { return !match(text) })
				slices.Sort(got)
				slices.Sort(want)
				if !slices.Equal(got, want) {
					t.Errorf("%+v finds %q, want %q", condition, got, want)
				}
			}
		}
	})
}

func scanText(row store.Scanner) (text string, err error) { return text, row.Scan(&text) }

func TestWhere(t *testing.T) {
	var where search.Where
	if where.SQL() != "" || where.Args() != nil {
		t.Errorf("the zero Where is %q with %v", where.SQL(), where.Args())
	}
	where.And("a = " + where.Arg(1))
	where.Text("b", "c", search.Text{Method: search.Contains}) // holds for every text
	where.Text("b", "c", search.Text{Value: "X", Method: search.EqualsIgnoreCase})
	where.Any("d", "e = "+where.Arg(true))
	where.Any()
	const want = " WHERE a = $1 AND c = $2 AND (d OR e = $3) AND (FALSE)"
	if args := fmt.Sprint(where.Args()); where.SQL() != want || args != "[1 x true]" {
		t.Errorf("%q with %s", where.SQL(), args)
	}
}
