//! HTML bodies composed of prepared blocks, in four scripts.
//!
//! Blocks are stored as the collector escapes them, so that writing a body only copies text.

use super::json::escape;
use super::rng::{Rng, Weighted};

const BLOCKS: usize = 700;
const TITLE: &str = "@TITLE@";

/// The scripts of bodies.
#[derive(Clone, Copy)]
pub(super) enum Script {
    Latin,
    Cyrillic,
    Arabic,
    Han,
}

impl Script {
    const ALL: [Self; 4] = [Self::Latin, Self::Cyrillic, Self::Arabic, Self::Han];

    /// The main script of pages read in a country.
    pub(super) fn of_country(cc: &str) -> Self {
        match cc {
            "RU" | "BY" | "KZ" | "UA" => Self::Cyrillic,
            "IR" | "EG" | "SA" | "AE" | "PK" => Self::Arabic,
            "CN" | "JP" => Self::Han,
            _ => Self::Latin,
        }
    }

    fn syllables(self) -> Vec<String> {
        let words = |text: &str| text.split(' ').map(String::from).collect();
        match self {
            Self::Latin => words(LATIN),
            Self::Cyrillic => words(CYRILLIC),
            Self::Arabic => words(ARABIC),
            Self::Han => HAN.chars().map(String::from).collect(),
        }
    }
}

/// Prepared blocks of every script.
pub(super) struct Bodies {
    blocks: [Vec<String>; 4],
    heads: Vec<String>,
    foot: String,
}

impl Bodies {
    pub(super) fn new(rng: &mut Rng) -> Self {
        Self {
            blocks: Script::ALL.map(|script| {
                let words = Words::new(rng, script);
                (0..BLOCKS).map(|_| escape(&block(rng, &words))).collect()
            }),
            heads: (0..24).map(|i| escape(&head(rng, i))).collect(),
            foot: escape(FOOT),
        }
    }

    /// Appends a page of at least `size` bytes and at most a few kB more. `title` is escaped.
    pub(super) fn write(&self, out: &mut String, rng: &mut Rng, script: Script, size: usize, title: &str) {
        let (start, blocks) = (out.len(), &self.blocks[script as usize]);
        let head = rng.pick(&self.heads);
        match head.split_once(TITLE) {
            Some((before, after)) => out.extend([before, title, after]),
            None => out.push_str(head),
        }
        while out.len() - start < size {
            out.push_str(rng.pick::<String>(blocks));
        }
        out.push_str(&self.foot);
    }

    /// Where to insert the text of a blockpage: before a paragraph after the first third of a page, or before its
    /// footer.
    pub(super) fn place(&self, body: &str) -> usize {
        let third = body.len() / 3;
        body[third..].find("<p ").map_or(body.len().saturating_sub(self.foot.len()), |at| third + at)
    }
}

/// A vocabulary in which few words are frequent.
struct Words {
    words: Vec<String>,
    weights: Weighted,
}

impl Words {
    fn new(rng: &mut Rng, script: Script) -> Self {
        let syllables = script.syllables();
        let glue = if matches!(script, Script::Latin) { GLUE } else { "" };
        let mut words: Vec<String> = glue.split_terminator(' ').map(String::from).collect();
        for _ in 0..2500 {
            let length = *rng.pick(&[1, 2, 2, 3, 3, 4]);
            words.push((0..length).map(|_| rng.pick(&syllables).as_str()).collect());
        }
        let weights = Weighted::zipf(words.len(), 1.25);
        Self { words, weights }
    }

    fn word(&self, rng: &mut Rng) -> &str {
        &self.words[self.weights.draw(rng)]
    }

    fn sentence(&self, rng: &mut Rng, n: u64) -> String {
        let mut out = String::new();
        for i in 0..n {
            if i > 0 {
                out.push(' ');
            }
            out.push_str(self.word(rng));
        }
        match out.chars().next() {
            Some(first) => first.to_uppercase().chain(out.chars().skip(1)).collect(),
            None => out,
        }
    }

    /// A sentence of a random length.
    fn between(&self, rng: &mut Rng, from: u64, to: u64) -> String {
        let n = rng.range(from, to);
        self.sentence(rng, n)
    }
}

/// A block of a page: paragraphs, a menu, cards, a script or a table.
fn block(rng: &mut Rng, w: &Words) -> String {
    match rng.below(13) {
        0..4 => {
            let n = rng.range(1, 3);
            (0..n).map(|_| format!("<p class=\"entry-text\">{}.</p>\n", w.between(rng, 12, 60))).collect()
        }
        4..8 => {
            let n = rng.range(4, 10);
            let items: String = (0..n)
                .map(|_| {
                    format!(
                        "    <li class=\"menu-item menu-item-type-post_type\"><a class=\"nav-link\" href=\"/{}/{}\"><span>{}</span></a></li>\n",
                        w.word(rng),
                        w.word(rng),
                        w.between(rng, 1, 4)
                    )
                })
                .collect();
            format!("  <ul class=\"menu nav navbar-nav\">\n{items}  </ul>\n")
        }
        8..11 => {
            let n = rng.range(2, 4);
            (0..n)
                .map(|i| {
                    format!(
                        "<div class=\"col-md-4 col-sm-6\"><article class=\"card post-item\"><a href=\"/{i}/{}\" title=\"{}\">\
                         <img class=\"lazyload img-responsive\" src=\"/static/images/{}.jpg\" alt=\"{}\" width=\"320\" height=\"180\"></a>\
                         <h3 class=\"card-title\">{}</h3><p class=\"card-text\">{}</p></article></div>\n",
                        w.word(rng),
                        w.sentence(rng, 3),
                        w.word(rng),
                        w.sentence(rng, 3),
                        w.sentence(rng, 5),
                        w.sentence(rng, 14)
                    )
                })
                .collect()
        }
        11 => {
            let account = rng.range(1_000_000, 10_000_000);
            let settings: Vec<String> = (0..8)
                .map(|_| {
                    let value = match rng.below(4) {
                        0 => "true".into(),
                        1 => "false".into(),
                        2 => rng.below(1000).to_string(),
                        _ => format!("\"{}\"", w.sentence(rng, 2)),
                    };
                    format!("\"{}\": {value}", w.word(rng))
                })
                .collect();
            format!(
                "<script type=\"text/javascript\">window.dataLayer = window.dataLayer || [];function gtag(){{dataLayer.push(arguments);}}\
                 gtag('js', new Date());gtag('config', 'UA-{account}-1');var settings = {{{}}};</script>\n",
                settings.join(", ")
            )
        }
        _ => {
            let n = rng.range(4, 9);
            let rows: String = (0..n)
                .map(|_| {
                    format!(
                        "<tr><td class=\"cell\">{}</td><td class=\"cell\">{}</td></tr>\n",
                        w.sentence(rng, 2),
                        rng.range(1, 9999)
                    )
                })
                .collect();
            format!("<table class=\"table table-striped\">{rows}</table>\n")
        }
    }
}

fn head(rng: &mut Rng, i: usize) -> String {
    let n = rng.range(2, 9);
    let css: String = (0..n)
        .map(|k| {
            format!(
                "<link rel=\"stylesheet\" href=\"/wp-content/plugins/module-{k}/assets/css/style.min.css?ver={i}.{k}\" type=\"text/css\" media=\"all\">\n"
            )
        })
        .collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{TITLE}</title>\n{css}\
         </head>\n<body class=\"home page-template\">\n<div id=\"page\" class=\"site container\">\n"
    )
}

const FOOT: &str = "</div>\n<footer class=\"site-footer\"><div class=\"container\"><p>&copy; 2024</p></div></footer>\n</body>\n</html>\n";

pub(super) const LATIN: &str = "ba be bi bo ca ce co cu da de di do en er es fa fo ga ge in is la le li lo ma me mi mo na ne no nu on or \
    pa pe po ra re ri ro sa se si so ta te ti to tra tu un ur va ve vi vo";
const CYRILLIC: &str = "ба бе во га да де до ен ер за из ка ко ла ле ли ма ме на не но об он пе по пра ра ре ро са се ст та те то ть у хо ци \
    че ши ю я";
const ARABIC: &str = "ال با به تا در را سا شا عا فا قا كا لا ما مى نا ها وا يا ست ند ان ين ار ور دى خا";
const HAN: &str =
    "的一是不了人在有我他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可里后小么";
const GLUE: &str = "the of and to in a is for on with that by this are as from at it or an be";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_its_size_and_script() {
        let mut rng = Rng::new(1);
        let bodies = Bodies::new(&mut rng);
        for script in Script::ALL {
            let mut page = String::new();
            bodies.write(&mut page, &mut rng, script, 20_000, "a.example");
            assert!((20_000..40_000).contains(&page.len()), "{}", page.len());
            assert!(page.is_ascii() && page.contains("<title>a.example<\\/title>"));
            assert_eq!(page.contains("\\u"), !matches!(script, Script::Latin));
            assert!(page[bodies.place(&page)..].starts_with("<p "));
        }
    }
}
