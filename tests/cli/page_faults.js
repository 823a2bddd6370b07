// What is wrong with a report as it is shown in a window of this width: a list of sentences.
// The block that must come first is the section with the heading `first`.
(width, first) => {
    const faults = [];
    const expect = (holds, sentence) => holds || faults.push(sentence);
    const brief = text => text.trim().replace(/\s+/g, " ").slice(0, 60);
    const box = element => element.getBoundingClientRect();
    const isShown = element => element.checkVisibility() && box(element).width > 0;

    // ---- the whole -----------------------------------------------------------------------------

    function checkPage() {
        expect(document.compatMode === "CSS1Compat", "the page has no doctype");
        expect(document.title.trim() !== "", "the page has no title");
        for (const image of document.images) {
            expect(image.complete && image.naturalWidth > 0, "an image is not shown");
        }
        for (const link of document.querySelectorAll("link[rel~=preconnect],[rel~=dns-prefetch]")) {
            faults.push(`the page prepares to reach ${link.href}`);
        }
    }

    // The sentence and the table with the verdict come before everything else.
    function checkFirstBlock() {
        const [header, section] = document.querySelectorAll("main > *");
        const verdict = header?.querySelector(".verdict");
        expect(verdict && isShown(verdict) && verdict.textContent.trim() !== "",
               "no verdict stands at the top");
        const heading = section?.querySelector("h2"), table = section?.querySelector("table");
        expect(heading?.textContent === first && isShown(heading),
               `the first block is ${brief(heading?.textContent ?? "missing")}, not ${first}`);
        expect(table?.querySelector("td") && isShown(table), "the first block has no table");
    }

    function checkWidth(state) {
        const wide = document.documentElement.scrollWidth;
        const widest = [...document.querySelectorAll("main *")]
            .reduce((a, b) => (a && box(a).right >= box(b).right ? a : b), null);
        expect(wide <= width, `with details ${state} the page is ${wide} wide, over ${width}: ` +
               `${widest?.localName} ${brief(widest?.textContent ?? "")}`);
    }

    // ---- texts ---------------------------------------------------------------------------------

    // Red, green, blue from 0 to 255 and alpha from 0 to 1; NaN for what is not understood.
    function parse(colour) {
        const [red, green, blue, alpha = 1] =
            colour.startsWith("rgb") ? colour.match(/[\d.]+/g).map(Number) : [NaN, NaN, NaN];
        return [red, green, blue, alpha];
    }

    function over([red, green, blue, alpha], below) {
        return [red, green, blue].map((value, i) => alpha * value + (1 - alpha) * below[i]);
    }

    // WCAG 2.1, relative luminance and contrast ratio.
    function luminance(colour) {
        const [red, green, blue] = colour.map(value => value / 255).map(
            value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    }

    function contrast(one, other) {
        const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
        return (high + 0.05) / (low + 0.05);
    }

    // What a browser paints behind a page that does not say.
    function canvas() {
        const probe = document.body.appendChild(document.createElement("i"));
        probe.style.background = "Canvas";
        const colour = parse(getComputedStyle(probe).backgroundColor);
        probe.remove();
        return colour;
    }

    function background(element) {
        const layers = [];
        for (let at = element; at; at = at.parentElement) {
            layers.unshift(parse(getComputedStyle(at).backgroundColor));
        }
        return layers.reduce((below, layer) => over(layer, below), canvas().slice(0, 3));
    }

    function opacity(element) {
        let product = 1;
        for (let at = element; at; at = at.parentElement) {
            product *= Number(getComputedStyle(at).opacity);
        }
        return product;
    }

    function checkContrast(element, text, style) {
        const isSvg = element instanceof SVGElement, paper = background(element);
        const [red, green, blue, alpha] = parse(isSvg ? style.fill : style.color);
        const more = opacity(element) * (isSvg ? Number(style.fillOpacity) : 1);
        const ratio = contrast(over([red, green, blue, alpha * more], paper), paper);
        expect(ratio >= 4.5, `contrast ${ratio.toFixed(2)} of ${element.localName} ${brief(text)}`);
    }

    function checkTexts() {
        const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        for (let node = walker.nextNode(); node; node = walker.nextNode()) {
            const element = node.parentElement;
            if (node.data.trim() !== "" && isShown(element)) {
                checkContrast(element, node.data, getComputedStyle(element));
            }
        }
        for (const element of document.querySelectorAll("body *")) {
            const style = getComputedStyle(element, "::before");
            if (style.content !== "none" && style.content !== "normal" && isShown(element)) {
                checkContrast(element, style.content, style);
            }
            const clips = ["hidden", "clip"].includes(getComputedStyle(element).overflowX);
            expect(!clips || element.scrollWidth <= element.clientWidth,
                   `${brief(element.textContent)} is cut off`);
        }
    }

    // ---- figures -------------------------------------------------------------------------------

    const isTitle = text => /\p{L}/u.test(text.textContent);

    function overlap(one, other) {
        const across = Math.min(one.right, other.right) - Math.max(one.left, other.left);
        const along = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
        return Math.min(across, along);
    }

    function checkLabels(name, frame, texts) {
        const boxes = texts.map(box);
        texts.forEach((text, i) => {
            const label = `${name}: the label ${brief(text.textContent)}`;
            expect(boxes[i].left >= frame.left - 0.5 && boxes[i].right <= frame.right + 0.5 &&
                   boxes[i].top >= frame.top - 0.5 && boxes[i].bottom <= frame.bottom + 0.5,
                   `${label} is cut off`);
            texts.slice(0, i).forEach((other, j) =>
                expect(overlap(boxes[i], boxes[j]) < 2,
                       `${label} lies on ${brief(other.textContent)}`));
        });
    }

    // Curves and points stand out from the paper, and change with it; grids and bands are faint.
    function checkMarks(name, figure) {
        const marks = [...figure.querySelectorAll("path,polygon,polyline,line,rect,circle,use")]
            .filter(mark => !mark.closest("defs,.gridline") && box(mark).height + box(mark).width > 0);
        const seen = marks.filter(mark => {
            const style = getComputedStyle(mark), isUse = mark.localName === "use";
            const isLine = style.stroke !== "none";
            const paint = isUse ? style.color : isLine ? style.stroke : style.fill;
            if (paint === "none" || Number(isLine ? style.strokeOpacity : style.fillOpacity) < 1) {
                return false;
            }
            const colour = parse(paint).slice(0, 3), ratio = contrast(colour, background(mark));
            const isFixed = ["0,0,0", "255,255,255"].includes(colour.join());
            expect(!isFixed, `${name}: a ${mark.localName} is ${paint} in light and dark`);
            expect(ratio >= 3 || ratio < 1.05,
                   `${name}: contrast ${ratio.toFixed(2)} of a ${mark.localName}, ${paint}`);
            return ratio >= 1.05;
        });
        expect(seen.length > 0, `${name}: nothing is drawn`);
    }

    // Titles of axes: a word along the left side, and one below everything else.
    function checkFigure(figure) {
        const name = figure.getAttribute("aria-label") ?? "a figure", frame = box(figure);
        if (!(frame.width >= 100 && frame.height >= 100)) {
            faults.push(`${name}: the figure is ${frame.width} x ${frame.height}`);
            return;
        }
        const texts = [...figure.querySelectorAll("text")].filter(isShown);
        const turned = texts.filter(text => Math.abs(text.getScreenCTM().b) > 0.1);
        const level = texts.filter(text => !turned.includes(text));
        const lowest = level.reduce((a, b) => (a && box(a).bottom >= box(b).bottom ? a : b), null);
        expect(lowest && isTitle(lowest), `${name}: the horizontal axis has no title`);
        expect(turned.some(isTitle), `${name}: the vertical axis has no title`);
        checkMarks(name, figure);
        checkLabels(name, frame, texts);
    }

    checkPage();
    checkFirstBlock();
    checkWidth("closed");
    document.querySelectorAll("details").forEach(details => { details.open = true; });
    checkWidth("open");
    checkTexts();
    document.querySelectorAll("svg").forEach(checkFigure);
    return faults;
}
