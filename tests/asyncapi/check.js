// Reads an AsyncAPI document on standard input, prints the parser's errors as JSON, and ends with 1 if there are any.
const { Parser } = require("@asyncapi/parser");

(async () => {
  const { document, diagnostics } = await new Parser().parse(require("fs").readFileSync(0, "utf-8"));
  const errors = diagnostics.filter((one) => one.severity === 0);
  const channels = document ? document.channels().all().map((one) => one.address()) : [];
  console.log(JSON.stringify({ errors: errors.map((one) => `${one.path.join("/")}: ${one.message}`), channels }));
  process.exit(errors.length || !document ? 1 : 0);
})();
