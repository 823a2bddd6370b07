# The picture of the README, from the run of scripts/quickstart:
#     gnuplot docs/images/quickstart.gp          (in the top folder of the project)
reset
set encoding utf8
set terminal svg size 960,380 dynamic enhanced rounded font "sans-serif,14" background "#ffffff" name "quickstart"
set output "docs/images/quickstart.svg"
run = "runs/quickstart/figures/"
set datafile missing "?"
set border 3 linecolor "#444444"
set tics nomirror scale 0.6,0.3
set grid xtics ytics linetype 1 linecolor "#dddddd" linewidth 0.6
set key tmargin left Left reverse horizontal maxrows 1 samplen 2.2 width 1
set xlabel "step {/:Italic t}"
set logscale y
set format y "10^{%L}"
set multiplot layout 1,2 margins 0.085,0.985,0.16,0.86 spacing 0.1

set ylabel "loss {/:Italic L}" offset 1
plot run."loss.dat" using 1:3 title "rate of PL*, (1 − {/:Italic ημ})^{/:Italic t} {/:Italic L}_0" \
         with lines linecolor rgb "#D55E00" linewidth 1.8 dashtype (10,5), \
     run."loss.dat" using 1:2 title "loss {/:Italic L_t}" \
         with lines linecolor rgb "#0072B2" linewidth 2.4

set ylabel "{/:Italic λ}_{min} ≤ {/:Italic ρ} ≤ {/:Italic λ}_{max}" offset 1
set yrange [0.3:700]
plot run."pl_ratio.dat" index 1 using 1:3:2 notitle \
         with filledcurves fillcolor rgb "#0072B2" fillstyle transparent solid 0.13 noborder, \
     "" index 1 using 1:2 title "{/:Italic λ}_{max}" \
         with lines linecolor rgb "#D55E00" linewidth 1.8 dashtype (10,5), \
     "" index 1 using 1:3 title "{/:Italic μ} = {/:Italic λ}_{min}" \
         with lines linecolor rgb "#009E73" linewidth 2.4, \
     run."pl_ratio.dat" index 0 using 1:2 title "PL ratio {/:Italic ρ}" \
         with lines linecolor rgb "#0072B2" linewidth 2.4
unset multiplot
unset output
