// Pages that teach come before the history of the project and single entries of the reference.
const LATER = ["project/", "reference/api/"];

var Scorer = {
  score: ([docname, title, anchor, descr, score]) =>
    LATER.some((folder) => docname.startsWith(folder)) ? score - 100 : score,
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
