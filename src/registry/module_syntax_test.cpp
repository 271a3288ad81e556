#include "registry/module_syntax.h"

#include <gtest/gtest.h>

#include <string>

namespace mayfly::registry {
namespace {

TEST(ModuleSyntax, SeesImportsAndExports) {
  for (const char* source : {
           "export default { fetch() {} }",
           "import x from 'x'",
           "import 'x'",
           "import\"x\"",
           "import{a}from'a'",
           "import * as a from 'a'",
           "import /* c */ a from 'a'",
           "import\na from 'a'",
           "export const handler = async () => 1",
           "export async function handler() {}",
           "export{a}",
           "export * from 'a'",
           "export default async (req, res) => {}",
           "export class A {}",
           "const a = 1\nexport default a",
           "const a = 1; export { a as default };",
           "function f() { return {} }\nexport default f",
           "#!/usr/bin/env node\nimport a from 'a'",
           "\xEF\xBB\xBFimport a from 'a'",
           "// c\n/* import */ export default 1",
           "console.log(import.meta.url)",
           "function f() { return import . meta.url }",
           "const r = /[/\"]/; export default r",
           "const r = /`/g\nexport default r",
           "if (x) /\"/.test(y)\nexport default 1",
           "const a = b / c; const s = '/'; export default a / 2",
           "a++ / 2; export default '/'",
           "const o = { a: 1 } / 2; export default '/'",
           "{ const x = 1 }\n/'/.test(y)\nexport default 1",
           "const t = `a ${b} \\` ${ `${c}` } {`\nexport default t",
           "const t = `${ {a: '}'}.a }`; export default t",
           "const s = 'it\\'s'; export default s",
           "x = a[0] / 2; y = '/'; export default x",
           "x = (a) / 2; y = \"/\"; export default x",
           "return /'/\nexport default 1",
           "const größe = 1; export default größe",
           "x = y.return / 2 + '/'; export default x",
       })
    EXPECT_TRUE(has_module_syntax(source)) << source;
}

TEST(ModuleSyntax, IsNotFooled) {
  for (const char* source : {
           "",
           "module.exports = () => 1",
           "exports.handler = async () => 1",
           "const a = require('a'); module.exports = { fetch() {} }",
           "import('x').then(f)",
           "const a = await_(import ('x'))",
           "// export default 1",
           "/* export default 1 */",
           "/* unfinished export default 1",
           "const s = 'export default 1'",
           "const s = \"\\\"; export default 1\"",
           "const t = `\nexport default 1\n`",
           "const t = `${x}\nimport a from 'a'\n${`\nexport default 1`}`",
           "const t = `${ f({}) }\nexport default 1`",
           "const r = /export default/; r.test(x)",
           "const r = /[/]export default 1/",
           "return /\\/export default 1/",
           "x = { import: 1, export: 2 }",
           "x.import = 1; x.export = { }",
           "x\n.export\n{ }",
           "x?.import\n'a'",
           "class A { import() {} export() {} static import = 1 }",
           "exports = {}; important = 1; exporter = {}",
           "const importer = 'x'",
           "$import \n{ }",
           "export",
           "import",
           "'unfinished export default 1",
           "`unfinished\nexport default 1",
           "} ) ]",
       })
    EXPECT_FALSE(has_module_syntax(source)) << source;
}

TEST(ModuleSyntax, EveryPrefixOfASourceEnds) {
  const std::string source = "a`${b}`/c/'\\'\"\\/[x](){}/*x*/ //y\nimport.meta export default `${";
  for (std::size_t size = 0; size <= source.size(); ++size) (void)has_module_syntax(source.substr(0, size));
}

}  // namespace
}  // namespace mayfly::registry
